"""Explains a failed composition in one line: the YAML file or override that caused it, and why."""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper.config.search_path import added_folders
from sweeper.config.spelling import is_number, right_integers, share, split_values, written
from sweeper.system.errors import BadInput, first_line
from sweeper.system.files import read_file
from sweeper.system.limits import SETTINGS_BYTES

# How OmegaConf says that a value has another kind.
_KIND = re.compile(r"Value .* (?:of type '.*' could not be converted to (Integer|Float)|is not a valid (bool).*)", re.S)
_KINDS = {"Integer": "an integer", "Float": "a number", "bool": "true or false"}
_CONFIG = re.compile(r"\b[Ii]n '(?P<name>[^']+)'(: )?")  # how Hydra's messages name the YAML


def explain(error: Exception, overrides: list[str], conf: Path, typed: Mapping[str, str] | None = None) -> BadInput:
    """The one-line BadInput for an error raised by composing: Hydra's, OmegaConf's, or any other that a YAML caused.

    Args:
        conf: our own conf/; in a clone it may also contain the user's YAML.
        typed: for an override with one value of a sweep's, the override with all of them.
    """
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = str(getattr(cause, "full_key", None) or "").removeprefix("hydra.runtime.choices.")
    line = _reason(cause)
    kind = _KIND.fullmatch(line)
    asked = [o for o in overrides if not o.startswith("hydra.searchpath=")]
    if named := [o for o in asked if key and o.lstrip("+~").split("=")[0] == key]:
        whole = (typed or {}).get(named[-1], named[-1])
        if kind is not None:
            line = f"must be {_KINDS[kind[1] or kind[2]]}"
            if advice := _right(key, whole.partition("=")[2], kind[1]):
                return BadInput(f"{whole}: {line}{advice}")
        if key.startswith("hydra.") and re.match(r"Key '.*' not in '", line):
            line = "there is no such option with these choices; --cfg hydra shows those there are"
        return BadInput(f"{' '.join(named)}: {line}")
    folders = [*added_folders(overrides), conf]
    chosen = _chosen_files(asked, folders)
    if isinstance(cause, yaml.MarkedYAMLError) and cause.problem_mark is not None:
        return BadInput(_explain_yaml(Path(cause.problem_mark.name), cause))
    if broken := next(filter(None, map(_unreadable, chosen.values())), None):
        return BadInput(broken)
    if found := _CONFIG.search(line):
        file = _find_file(found["name"], folders)
        rest = line[: found.start()] + line[found.end() :] if found.start() == 0 else line
        return BadInput(f"{_shown(file) if file else found['name']}: {rest}")
    if key:
        file = chosen.get(key.partition(".")[0])
        return BadInput(f"{_shown(file)}: {key}: {line}" if file else f"{key}: {line}")
    beside = {file.parent for file in chosen.values() if not isinstance(cause, RecursionError)}
    others = [file for folder in sorted(beside) for file in sorted(folder.glob("*.yaml")) if file.is_file()]
    if broken := next(filter(None, map(_unreadable, others)), None):
        return BadInput(broken)  # not chosen itself, but in the defaults of a chosen one
    return BadInput(f"{' '.join(asked)}: {line}")


def _right(name: str, text: str, kind: str | None) -> str:
    """What to type for a number that was given as `text`; the end of an error message.

    >>> _right("epochs", "1e3,2e3", "Integer"), _right("seed", "1-3", "Integer"), _right("noise.rate", "20%", "Float")
    ('; write -m epochs=1000,2000', "; several are a sweep, -m 'seed=range(1,4)'", '; write noise.rate=0.2')
    """
    values = split_values(text)
    if kind == "Float":
        shares = [share(value) for value in values]
        return f"; write {written(name, [s for s in shares if s])}" if values and all(shares) else ""
    if (words := right_integers(name, values)) is not None:
        return f"; several are a sweep, {words}" if len(values) == 1 and words[0] == "-" else f"; write {words}"
    return "; several are a sweep, -m seed=1,2,3" if name == "seed" and not any(map(is_number, values)) else ""


def _reason(error: Exception) -> str:
    """The first line of the error's message; the second one where the first only says that composing failed."""
    if isinstance(error, RecursionError):
        return "a YAML leads back to itself, by its defaults or an alias"
    first, *others = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"\w+ raised while composing config:$", lambda _: others[0], first) if others else first


def _chosen_files(overrides: list[str], folders: list[Path]) -> dict[str, Path]:
    """The YAML files chosen on the command line, by group."""
    pairs = [(o.lstrip("+").partition("=")[0], o.partition("=")[2].strip("'\"")) for o in overrides]
    files = {group: _find_file(f"{group}/{choice}", folders) for group, choice in pairs}
    return {group: file for group, file in files.items() if file is not None}


def _find_file(config: str, folders: list[Path]) -> Path | None:
    files = [folder / f"{config}.yaml" for folder in folders]
    return next((file for file in files if file.is_file()), None)


def _unreadable(file: Path) -> str | None:
    """Why the file is never a valid configuration, in one line; None if it may be one."""
    try:
        text = read_file(file, SETTINGS_BYTES).decode()
        written = yaml.compose(text, yaml.SafeLoader)  # makes no values: OmegaConf reads some otherwise than PyYAML
        kind = "map" if written is None else written.tag.rpartition(":")[2]
        if kind not in ("map", "null"):
            return f"{_shown(file)}: must be lines `name: value`, and is one {'list' if kind == 'seq' else kind}"
        OmegaConf.create(text)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return f"{_shown(file)} line {line}: isn't text in UTF-8; save it as UTF-8"
    except (ValueError, LookupError, AttributeError):  # as PyYAML raises them
        return f"{_shown(file)}: a value isn't of the kind that its tag (!!…) says"
    except RecursionError:
        return f"{_shown(file)}: a value is a part of itself; write it out"
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        return _explain_yaml(file, error)
    return None


def _explain_yaml(file: Path, error: Exception) -> str:
    """`file line N: reason`."""
    reason, mark = getattr(error, "problem", None) or first_line(error), getattr(error, "problem_mark", None)
    context = getattr(error, "context", None) or ""
    if context.endswith(("flow sequence", "flow mapping", "quoted scalar", "simple key")):
        # Its end is missing: report the line where it starts, not the later one where the parser failed.
        reason, mark = f"{reason} ({context})", getattr(error, "context_mark", None) or mark
    line = f" line {mark.line + 1}" if mark is not None else ""
    return f"{_shown(file)}{line}: {reason}"


def _shown(file: Path) -> str:
    """The file's path relative to the current folder, if it is below it."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
