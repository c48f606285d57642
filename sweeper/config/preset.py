"""A preset of optimizers' values, as files that `--config-dir` takes: written of numbers that may be a stranger's."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper.runs.checks import NUMBER
from sweeper.system.errors import BadInput, nearest
from sweeper.system.files import CONF
from sweeper.system.text import shortened

MARK = "# Written by `python -m sweeper.choose --write`"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_NO_TEXT = ("true", "false", "null", "none", "yes", "no", "on", "off", "nan", "inf")  # to YAML or Hydra


def preset_files(folder: Path, name: str, values: Mapping[str, dict[str, Any]], source: str) -> dict[Path, bytes]:
    """The files of the preset `name` below `folder`, whole, by their paths.

    Args:
        values: of each optimizer, as from `check_values`.
        source: a line that tells where they come from.
    """
    check_name(folder, name)
    preset = (
        f"# @package _global_\n{MARK}: {source}.\ndefaults:\n  - override /settings@optimizer: {name}/${{optimizer}}\n"
    )
    files = {
        _settings(folder, name) / f"{optimizer}.yaml": f"{MARK}: {source}.\n{yaml.safe_dump(own)}"
        for optimizer, own in values.items()
    }
    return {file: text.encode() for file, text in (files | {_experiment(folder, name): preset}).items()}


def files_to_remove(folder: Path, name: str, files: Mapping[Path, bytes], replace: bool) -> list[Path]:
    """Of another choice under this name the files that the new one doesn't replace.

    Raises:
        BadInput: there is a file that `choose` hasn't written, or another choice, and `replace` is false.
    """
    there = sorted(_settings(folder, name).glob("*.yaml"))
    there += [path for path in [_experiment(folder, name)] if path.exists()]
    contents = {path: path.read_bytes() if path.is_file() else b"" for path in there}
    for path, content in contents.items():
        if MARK.encode() not in content:
            raise BadInput(f"{path}: was not written by sweeper.choose and isn't replaced; choose another --name NAME")
    others = [path for path, content in contents.items() if _values(files.get(path, b"")) != _values(content)]
    if others and not replace:
        raise BadInput(f"{others[0]}: is of another choice; keep it by another --name NAME, or take this by --replace")
    return [path for path in others if path not in files]


def check_name(folder: Path, name: str) -> None:
    """A preset's name is a word that means nothing else.

    Raises:
        BadInput: it is no word, or the name of a data set or of a preset of sweeper's own.
    """
    if not _NAME.fullmatch(name) or name.lower() in _NO_TEXT:
        raise BadInput(f"--name {shortened(name)}: a name begins with a letter and has letters, digits, _ and - alone")
    taken = known_names(folder, "dataset") + _names(CONF, "experiment")
    if name.lower() in (one.lower() for one in taken):
        raise BadInput(f"--name {name}: there is a data set or a preset of this name; choose another")


def known_names(folder: Path, group: str) -> list[str]:
    """A config group's choices: sweeper's own and those in `folder`."""
    return sorted({*_names(CONF, group), *_names(folder, group)})


def check_values(
    folder: Path, optimizer: str, options: Mapping[str, Any], searched: Mapping[str, Any]
) -> dict[str, Any]:
    """What a preset needs to hold so that the optimizer has these options: the searched ones, and those that its own
    YAML has otherwise.

    Args:
        options: all that the chosen run's optimizer had.
        searched: those that were searched over; None where the chosen run has none.

    Raises:
        BadInput: there is no such optimizer, or a value that isn't its own YAML's is anything but a finite number, or
            a list of them, in place of such.
    """
    file = _file_of(folder, optimizer)
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


def _file_of(folder: Path, optimizer: str) -> Path:
    """Its YAML. The name is a record's text, so it is looked up among the files that are there."""
    names = known_names(folder, "optimizer")
    if optimizer not in names:
        raise BadInput(f"{folder}: has no file of the optimizer {optimizer!r}; {nearest(optimizer, names)}")
    where = folder if optimizer in _names(folder, "optimizer") else CONF
    return where / "optimizer" / f"{optimizer}.yaml"


def _names(folder: Path, group: str) -> list[str]:
    return sorted(file.stem for file in (folder / group).glob("*.yaml") if file.is_file())


def _read(file: Path) -> dict[str, Any]:
    """As Hydra reads it, to which `1e-8` is a number; references stay texts."""
    try:
        content = OmegaConf.to_container(OmegaConf.load(file))
    except (yaml.YAMLError, OmegaConfBaseException, OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise BadInput(f"{file}: can't be read as YAML of names and values; mend it")
    return {str(name): value for name, value in content.items()}


def _values(file: bytes) -> list[bytes]:
    """All lines but the comments."""
    return [line for line in file.splitlines() if not line.startswith(b"#")]


def _settings(folder: Path, name: str) -> Path:
    return folder / "settings" / name


def _experiment(folder: Path, name: str) -> Path:
    return folder / "experiment" / f"{name}.yaml"


def _is_alike(value: Any, there: Any) -> bool:
    """Whether both are numbers, or lists of as many numbers."""
    if isinstance(value, list) and isinstance(there, list):
        return len(value) == len(there) and all(map(is_number, value + there))
    return is_number(value) and is_number(there)


def is_number(value: Any) -> bool:
    """A finite one that is of a table's range and no truth value."""
    return value is not None and NUMBER.fits(value)


def to_yaml(value: Any) -> str:
    """In one line, as YAML reads it back to the same."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"))
    return text.removesuffix("...\n").strip()
