"""Parses the command line's overrides and detects misspelt names; the error suggests the nearest right one."""

import math
import re
import shlex
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, RangeSweep
from hydra.errors import HydraException

from sweeper.config import spelling, suggestions
from sweeper.config.grammar import quoted
from sweeper.runs.identity import GROUPS, is_identity
from sweeper.system.command import called
from sweeper.system.errors import BadInput, first_line, nearest, repeated

FREE_NODES = ("model", "optimizer", "schedule")  # their options are those of the class they name, not of a schema
OPEN_NODES = (*FREE_NODES, "tracking", "hydra")  # options may be added to them
MOST_RUNS = 100_000  # in one sweep; composing them takes a quarter of an hour
PLACES = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")
Groups = dict[str, list[str]]  # the choices of every config group


def parse_overrides(texts: list[str]) -> list[Override]:
    """Parse overrides by Hydra's grammar.

    Raises:
        BadInput: an override doesn't follow the grammar.
    """
    parsed = []
    for k, text in enumerate(texts):
        try:
            parsed.append(_parse(text))
        except (HydraException, ValueError, RecursionError, UserWarning) as error:
            raise BadInput(_how_to_write(texts, k, _reason(error))) from error
    return parsed


@lru_cache(MOST_RUNS)
def _parse(text: str) -> Override:
    """An override, parsed once a process: the runs of a sweep share most of theirs."""
    text.encode()  # fails for bytes that aren't valid text
    if text.startswith("="):
        raise ValueError("there is no name")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # Hydra's, of a function that its next version won't have
        (parsed,) = OverridesParser.create().parse_overrides([text])
    return parsed


def _reason(error: Exception) -> str:
    """Why a text can't be parsed: Hydra's message begins with one or two lines that repeat the text."""
    if error.__cause__ is not None:
        return first_line(error.__cause__)
    lines = [line for line in str(error).splitlines() if not line.startswith(("Error when parsing ", "Error parsing "))]
    return first_line(ValueError("\n".join(lines))).partition(" expecting ")[0]


def _how_to_write(texts: list[str], k: int, reason: str) -> str:
    """What is wrong with word number `k`, and what to type."""
    if (parted := suggestions.without_spaces(texts, k)) is not None:
        return f"{parted[0]}: an option with its values is one word, without spaces; write {parted[1]}"
    name, given, value = (text := texts[k]).partition("=")
    if not given and ":" in text and (option := suggestions.known_option(text.partition(":")[0])) is not None:
        return f"{text}: options are given as name=value; write {spelling.meant(option, [text.partition(':')[2]])}"
    if (arm := re.fullmatch(r"--arm[ =](['\"])([^'\"]*)\1", text)) is not None:
        return f'{text}: --arm stands before the quotes; write --arm "{arm[2]}"'
    if not given or not name:
        groups = spelling.groups_with(text)
        write = f"; write {groups[0]}={text}" if len(groups) == 1 else ""
        return f"{text}: options are given as name=value{write}"
    if name in GROUPS and (inside := re.fullmatch(r"([\w-]+)[(:,.{ ]+(\w+=[^(){}]*)[)}]?", value)) is not None:
        options = [f"{name}.{option.strip()}" for option in spelling.split_values(inside[2])]
        return f"{text}: can't be read; write {shlex.join([spelling.meant(name, [inside[1]]), *options])}"
    values = spelling.split_values(value.replace(";", ","))
    write = f"; write {spelling.meant(suggestions.known_option(name) or name, values)}" if values else ""
    if value.rstrip().endswith(","):
        return f"{text}: a value is missing after the last comma{write}"
    if re.search(r",\s*,|^\s*,", value) and not set(value) & set("'\"[("):
        return f"{text}: a value is missing between two commas{write}"
    if write and re.fullmatch(r"\([^()'\"]*\)|[\w.-]+(;[\w.-]+)+", value) and shlex.split(write)[-1] != text:
        return f"{text}: can't be read{write}"
    if (call := re.fullmatch(r"(?:range|choice|interval)\([^()]*", value)) is not None:
        return f"{text}: a bracket isn't closed; write {shlex.join(['-m', f'{name}={call[0]})'])}"
    return f"{text}: can't be read{_how_to_quote(name, value)} ({reason})"


def _how_to_quote(name: str, value: str) -> str:
    """How to type a value that only quotes make one; nothing for one whose own quote isn't closed."""
    if (quote := value[:1]) in ("'", '"'):
        if len(value) < 2 or not value.endswith(quote):
            return ""
        value = value[1:-1]
    if set(value) & set("'\"") or value.endswith("\\"):
        form = shlex.quote(f"{name}={quoted(value)}")
    else:  # a shell replaces $ in double quotes
        form = f"'{name}=\"{value}\"'" if "$" in value else f"\"{name}='{value}'\""
    return f"; quote the value for Hydra and all of it for the shell: {form}"


def list_groups(config_loader: Any, parent: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield every config group with its choices, e.g. `("noise", ["asymmetric", …])`."""
    repository = config_loader.repository  # which the loader itself copies for each question
    for name in repository.get_group_options(parent, ObjectType.GROUP):
        group = f"{parent}/{name}" if parent else name
        # A schema holds the types of a plugin's options and is no choice.
        choices = [one for one in repository.get_group_options(group) if not one.endswith("_schema")]
        if choices:
            yield group, choices
        yield from list_groups(config_loader, group)


def is_plain(override: Override, groups: Groups) -> bool:
    """Whether an override sets one value of an existing option, and thus doesn't change the defaults list."""
    key = override.key_or_group
    added = override.is_add() or override.is_delete()
    return not (added or key in groups or key.startswith("hydra.") or override.package is not None)


def sweep_values(override: Override, groups: Groups) -> list[str]:
    """The values of a sweep override, each as it would be typed.

    Raises:
        BadInput: the values can't be listed, a pattern matches no choice, or there are more than `MOST_RUNS`, as for a
            mistyped range.
    """
    key = override.key_or_group
    if not override.is_discrete_sweep():
        only = "only a search takes intervals, see experiment=search"
        raise BadInput(f"{override.input_line}: give the values one by one, e.g. {key}=1,2,3; {only}")
    swept = override.value()
    if isinstance(swept, Glob):
        choices = [name for name in groups.get(key, []) if (key, name) != ("optimizer", "any")]  # it needs a name
        if fitting := swept.filter(choices):
            return fitting
        raise BadInput(f"{override.input_line}: no choice of {key} fits; {nearest('', choices)}")
    if isinstance(swept, RangeSweep):
        start, stop, step = (float(x) if x is not None else math.nan for x in (swept.start, swept.stop, swept.step))
        if not step or not (stop - start) / step <= MOST_RUNS:
            raise BadInput(f"{override.input_line}: more than {MOST_RUNS:,} values")
    if not (values := list(override.sweep_string_iterator())):
        raise BadInput(
            f"{override.input_line}: no values; range(start, end) goes from start up to end, which it excludes"
        )
    return values


def check_choices(overrides: list[Override], groups: Groups) -> None:
    """Check each override as `check_choice` does, and that nothing is given twice."""
    for override in overrides:
        check_choice(override, groups)
    check_repeated(overrides)


def check_choice(override: Override, groups: Groups) -> None:
    """Check that an override of a group names existing choices, and that no override moves a run's files.

    Raises:
        BadInput: the group or choice doesn't exist, or the run's directory would no longer follow from its name.
    """
    key = override.key_or_group
    if key == "against":
        raise BadInput(f"{override.input_line}: {called('decide')} alone compares with a field; leave it out")
    if key in PLACES or (key == "hydra.job.chdir" and override.value()):
        follows = "where runs lie follows from their names"
        raise BadInput(f"{override.input_line}: {follows}; choose the folder by outputs=DIR")
    if override.is_add() and key not in groups and key.partition(".")[0] not in OPEN_NODES:
        raise BadInput(f"{override.input_line}: nothing reads an added option '{key}'; leave out the +, or the option")
    if override.is_delete() and (key in GROUPS or key.partition(".")[0] not in OPEN_NODES):
        raise BadInput(f"{override.input_line}: every option and group is needed; give it a value instead")
    if key not in groups:
        if "/" in key:
            raise BadInput(f"{override.input_line}: there is no group '{key}'; {nearest(key, near(key, groups))}")
        return
    if override.is_delete():
        return
    if override.is_add() and key in (*GROUPS, "experiment"):
        raise BadInput(f"{override.input_line}: leave out the +, which is for what isn't there yet")
    values = sweep_values(override, groups) if override.is_sweep_override() else [override.value()]
    for value in values:
        name = str(value).strip("'\"")
        if value is None and key in GROUPS:
            raise BadInput(f"{override.input_line}: a run needs a choice of {key}; {nearest('', groups[key])}")
        if isinstance(value, list) and key in GROUPS:
            several = ",".join(map(str, value))
            raise BadInput(f"{override.input_line}: a run has one {key}; several are a sweep: -m {key}={several}")
        if value is None or isinstance(value, list):  # Hydra's forms for no choice or several
            continue
        if name not in groups[key]:
            how = _own_file(key, name) or _which(key, values, name, groups[key])
            raise BadInput(f"{key}={name}: there is no such {key}; {how}")


def _own_file(group: str, name: str) -> str:
    """What to add where a folder beside the user has a file for this choice."""
    found = next(iter(sorted(Path().glob(f"*/{group}/{name}.yaml"))), None) if re.fullmatch(r"[\w-]+", name) else None
    return f"{found} is one: add --config-dir {found.parts[0]}" if found else ""


def _which(group: str, values: list[Any], wrong: str, choices: list[str]) -> str:
    """What to type for the values of a group, one of which is wrong."""
    words = None if "/" in group else spelling.right_choices(group, [*map(str, values)], choices)
    one = spelling.meant_choice(group, wrong, choices) or ""
    if words is not None and "glob(" in words:
        return f"write {words}"
    if words is not None and " " in one:
        return f"write {words}; {nearest('', choices)}" if one.startswith("optimizer=any ") else f"write {words}"
    if words is None or not words.startswith("-m "):
        return nearest(one.partition("=")[2] or wrong, choices)
    return f"did you mean {words}? ({nearest('', choices)})"


def check_repeated(overrides: list[Override]) -> None:
    """Check that nothing is given twice, since only the last value would count.

    Raises:
        BadInput: a group or an option is given twice.
    """
    given: dict[str, list[str]] = {}
    for override in overrides:
        given.setdefault(override.key_or_group, []).append(override.input_line or "")
    for key, texts in given.items():
        if len(texts) == 1:
            continue
        values = [text.partition("=")[2] if text[0] not in "+~" else text for text in texts]
        pieces = dict.fromkeys(piece for value in values for piece in value.split(","))
        is_axis = (is_identity(key) or key == "experiment") and not key.startswith(("hydra.", "hydra/"))
        plain = 1 < len(pieces) <= 6 and not set("+~([{'\"") & set("".join(values))
        several = f" (several values: {key}={','.join(pieces)} with -m)" * (is_axis and plain)
        raise BadInput(repeated(key, values) + several)


def near(key: str, known: Any) -> list[str]:
    """The names to suggest for a misspelt one: those of its group if that exists, else those without a dot."""
    for separator in "./":
        head, found, _ = key.partition(separator)
        if found and (inside := [name for name in known if name.startswith(head + separator)]):
            return [name for name in inside if not name.startswith(f"{head}{separator}_")]
    return [name for name in known if "." not in name]
