"""Builds the files of a preset of optimizer options for `--config-dir`, and validates their names and values.

Names and values come from records that someone else may have written, so names are checked and values must be numbers.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper.runs.checks import is_number
from sweeper.system.errors import BadInput, nearest
from sweeper.system.files import CONF, read_file
from sweeper.system.limits import SETTINGS_BYTES
from sweeper.system.text import counted, shortened

MARK = "# Written by `python -m sweeper.choose --write`"
LONGEST_NAME = 40
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_NO_TEXT = ("true", "false", "null", "none", "yes", "no", "on", "off", "nan", "inf")  # in YAML or Hydra


@dataclass(frozen=True)
class Places:
    """Where a preset is written, and where the choices of config groups are looked for beside sweeper's own.

    Attributes:
        folder: it is written into this one.
        config_dir: the search's own choices lie there, if not in `folder`; they come first.
    """

    folder: Path
    config_dir: Path | None = None

    @property
    def others(self) -> list[Path]:
        """The folders that have choices and get no file."""
        own = self.folder.resolve()
        return [CONF, *([self.config_dir] if self.config_dir and self.config_dir.resolve() != own else [])]

    def names(self, group: str) -> list[str]:
        """The choices of a config group."""
        return sorted({name for folder in (self.folder, *self.others) for name in _names(folder, group)})

    def first(self, group: str, name: str) -> Path:
        """The folder whose choice of this name counts: Hydra takes the first, and sweeper's own last."""
        own = [*self.others[1:], self.folder]
        return next((folder for folder in own if name in _names(folder, group)), CONF)


def preset_files(
    places: Places,
    name: str,
    values: Mapping[str, dict[str, Any]],
    choices: Mapping[str, str],
    comparison: Mapping[str, Any],
    source: Sequence[str],
) -> dict[Path, bytes]:
    """The files of the preset `name`, as a dictionary from path to content.

    Args:
        values: the options of each optimizer, as returned by `check_values`, and that they were tuned.
        choices: of config groups by group, which another choice on the command line replaces.
        comparison: what else the preset sets.
        source: lines that say where the values come from.
    """
    check_name(places, name)
    folder = places.folder
    head = f"{MARK}: {source[0]}.\n" + "".join(f"# {line}.\n" for line in source[1:])
    defaults = [f"  - override /{group}: {to_yaml(choice)}\n" for group, choice in choices.items()]
    defaults.append(f"  - override /settings@optimizer: {name}/${{optimizer}}\n")
    preset = f"# @package _global_\n{head}defaults:\n{''.join(defaults)}"
    preset += yaml.safe_dump(dict(comparison), sort_keys=False) if comparison else ""
    files = {
        _settings(folder, name) / f"{optimizer}.yaml": f"{head}{yaml.dump(own, Dumper=_Dumper)}"
        for optimizer, own in values.items()
    }
    return {file: text.encode() for file, text in (files | {_experiment(folder, name): preset}).items()}


def files_to_remove(folder: Path, name: str, files: Mapping[Path, bytes], replace: bool) -> list[Path]:
    """Existing files of a preset of the same name that `files` doesn't overwrite and that must be removed.

    Raises:
        BadInput: a file wasn't written by `choose`, or holds another choice and `replace` is false.
    """
    there = sorted(_settings(folder, name).glob("*.yaml"))
    there += [path for path in [_experiment(folder, name)] if path.exists()]
    contents = {path: _content(path) for path in there}
    for path, content in contents.items():
        if MARK.encode() not in content:
            raise BadInput(f"{path}: was not written by sweeper.choose and isn't replaced; choose another --name NAME")
    others = [path for path, content in contents.items() if not _is_same_choice(path, content, files.get(path, b""))]
    if others and not replace:
        raise BadInput(f"{others[0]}: is of another choice; keep it by another --name NAME, or take this by --replace")
    return [path for path in others if path not in files]


def set_option(config: dict[str, Any], name: str, value: Any) -> None:
    """Set a value by its dotted name.

    >>> config = {"model": {"depth": 2}}
    >>> set_option(config, "model.width", 32)
    >>> config
    {'model': {'depth': 2, 'width': 32}}
    """
    *nodes, last = name.split(".")
    for node in nodes:
        config = config.setdefault(node, {})
    config[last] = value


def _content(path: Path) -> bytes:
    """A preset's file; empty for what can't be one."""
    with contextlib.suppress(OSError):
        return read_file(path, SETTINGS_BYTES)
    return b""


def check_name(places: Places, name: str) -> None:
    """Check that a preset's name is a word without another meaning.

    Raises:
        BadInput: the name isn't a word, or a data set, or a preset that isn't the folder's own, has it.
    """
    if why := _no_name(name):
        raise BadInput(f"--name {shortened(name, LONGEST_NAME) or repr(name)}: {why}; choose another")
    for folder in (*places.others, places.folder):
        taken = _names(folder, "dataset")
        if folder in places.others:
            taken += [*_names(folder, "experiment"), *_folders(folder / "settings")]
        if name.lower() in (one.lower() for one in taken):
            where = "" if folder == CONF else f" in {folder}"
            raise BadInput(f"--name {name}: there is a data set or a preset of this name{where}; choose another")


def _no_name(name: str) -> str:
    """Why a text can't name a preset; "" if it can."""
    if not name:
        return "is empty"
    if len(name) > LONGEST_NAME:
        return f"has {counted(len(name), 'character')}, and a name has {LONGEST_NAME} at most"
    if name.lower() in _NO_TEXT:
        return "is read as a value, not as a text, in YAML or in experiment=NAME"
    if not _NAME.fullmatch(name):
        return "a name begins with a letter, a to z or A to Z, and has such letters, digits, _ and - alone"
    return ""


def check_values(
    places: Places, optimizer: str, options: Mapping[str, Any], searched: Mapping[str, Any]
) -> dict[str, Any]:
    """The options that a preset must contain: the searched ones, and those that differ from the optimizer's YAML.

    Args:
        options: all options of the chosen run's optimizer.
        searched: the options that were searched over; a value is None if the chosen run lacks the option.

    Raises:
        BadInput: there is no such optimizer or option, or a value isn't a finite number, or a list of them, like the
            value in the YAML.
    """
    file = _file_of(places, optimizer)
    own = _read(file)
    given = {
        n: v for n, v in options.items() if n != "name" and not n.startswith("_") and (n not in own or own[n] != v)
    }
    wanted = {**given, **searched}
    for name, value in wanted.items():
        if name not in own or name.startswith("_") or name in ("name", "defaults"):
            raise BadInput(f"{file}: has no option {name!r}, which the chosen run has; add it there")
        if not _is_alike(value, own[name]):
            what = f"{name}: {shortened(to_yaml(value))} was chosen"
            raise BadInput(
                f"{file}: {what}, but only numbers are written, in place of numbers such as {to_yaml(own[name])}; "
                "write it yourself"
            )
    return wanted


def _file_of(places: Places, optimizer: str) -> Path:
    """The optimizer's YAML. The name comes from a record, so only names of existing files are accepted."""
    names = places.names("optimizer")
    if optimizer not in names:
        where = "" if places.config_dir else "; if it has one elsewhere, name the folder by --config-dir"
        raise BadInput(
            f"{places.folder}: has no file of the optimizer {optimizer!r}; {nearest(optimizer, names)}{where}"
        )
    return places.first("optimizer", optimizer) / "optimizer" / f"{optimizer}.yaml"


def _names(folder: Path, group: str) -> list[str]:
    return sorted(file.stem for file in (folder / group).glob("*.yaml") if file.is_file())


def _folders(folder: Path) -> list[str]:
    return sorted(inside.name for inside in folder.glob("*") if inside.is_dir())


def _read(file: Path) -> dict[str, Any]:
    """The YAML as Hydra reads it: `1e-8` is a number, and interpolations stay unresolved."""
    try:
        content = OmegaConf.to_container(OmegaConf.load(file))
    except OSError as error:
        raise BadInput(f"{file}: can't be read: {error.strerror or error}") from error
    except (yaml.YAMLError, OmegaConfBaseException, ValueError):
        content = None
    if not isinstance(content, dict):
        raise BadInput(f"{file}: can't be read as YAML of names and values; mend it")
    return {str(name): value for name, value in content.items()}


def _is_same_choice(path: Path, there: bytes, now: bytes) -> bool:
    """Whether a preset's file holds the choice that is to be written; earlier versions left more of the recipe out."""
    if path.parent.name == "experiment":
        return set(_values(there)) <= set(_values(now))
    return _values(there) == _values(now)


def _values(file: bytes) -> list[bytes]:
    """All lines except comments and the choices of groups, which earlier versions didn't write."""
    return [line for line in file.splitlines() if not line.startswith((b"#", b"  - override /"))]


def _settings(folder: Path, name: str) -> Path:
    return folder / "settings" / name


def _experiment(folder: Path, name: str) -> Path:
    return folder / "experiment" / f"{name}.yaml"


def _is_alike(value: Any, there: Any) -> bool:
    """Whether both are numbers, or lists of equally many numbers."""
    if isinstance(value, list) and isinstance(there, list):
        return len(value) == len(there) and all(map(is_number, value + there))
    return is_number(value) and is_number(there)


class _Dumper(yaml.SafeDumper):
    """Puts a text such as `1e5` in quotes too, which Hydra reads as a number and YAML 1.1 doesn't."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[\d_]*\.?[\d_]*[eE][-+]?\d+$"), list("-+.0123456789")
)


def to_yaml(value: Any) -> str:
    """The value as one line of YAML."""
    options: dict[str, Any] = {"default_flow_style": True, "allow_unicode": True, "width": float("inf")}
    text: str = yaml.dump(value, Dumper=_Dumper, **options)
    return text.removesuffix("...\n").strip()
