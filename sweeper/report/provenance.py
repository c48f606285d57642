"""A run's provenance: its device, when it started, and the command that repeats it."""

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.compute import compute_of
from sweeper.runs.identity import GROUPS, is_identity
from sweeper.runs.record import Damaged, read_run
from sweeper.runs.rows import Run

# Options on the command line that don't belong to the run itself, and that a repetition leaves out.
_NOT_REPEATED = ("outputs=", "rerun=", "fail_fast=")
_PLAIN = re.compile(r"[A-Za-z0-9_./:+-]+")
# An override of the run's options, not a flag or one of Hydra's. A command copied from someone else's record must not
# call code that the record names, nor resolve an interpolation.
_OVERRIDE = re.compile(r"(\+{1,2}|~)?(?!hydra\b)[A-Za-z][\w./@-]*(=.*)?")
_NAMES_CODE = re.compile(r"_target_|\bloader\s*[=:]|\$\{")


@dataclass(frozen=True)
class Origin:
    """Where a run came from; texts are "" if not recorded.

    Attributes:
        started: UTC, e.g. `2025-01-31T12:00:00Z`.
        command: the command that repeats the run, for a POSIX shell; it names no code.
        device_seconds: the device time of the run, its share if several ran at once; None if not recorded.
    """

    device_name: str = ""
    started: str = ""
    command: str = ""
    device_seconds: float | None = None


def read_origin(run: Run) -> Origin:
    """The origin of a run; an empty one if its record can't be read any more."""
    try:
        record = read_run(Path(run.path))
        environment = record["environment"]
        compute = compute_of(environment)
        config = record["config"]
        if isinstance(noise := config.get("noise"), dict) and isinstance(file := noise.get("file"), str):
            config = {**config, "noise": {**noise, "file": os.path.normpath(os.path.join(run.path, file))}}
        command = repeat_command(config, environment.get("overrides"))
        return Origin(compute.device_name, compute.started, command, compute.device_seconds)
    except Damaged:
        return Origin()


def repeat_command(config: dict[str, Any], overrides: Any) -> str:
    """The command that repeats a run: with its recorded overrides, or else with every value written out.

    Args:
        overrides: as recorded, a list of texts; anything else counts as not recorded, as for a run that failed early.

    Returns:
        The command; "" if a word isn't an override of a run's options, names code or is an interpolation.
    """
    if not isinstance(overrides, list) or not all(isinstance(word, str) for word in overrides):
        overrides = list(_all_values(config))
    words = [word for word in overrides if not word.lstrip("+~").startswith(_NOT_REPEATED)]
    if not all(w.isprintable() and _OVERRIDE.fullmatch(w) and not _NAMES_CODE.search(w) for w in words):
        return ""
    return shlex.join(["python", "-m", "sweeper.train", *words])


def _all_values(config: dict[str, Any]) -> list[str]:
    """Each group's choice, then each value of the identity, as overrides in Hydra's grammar."""
    chosen = [g for g in GROUPS if is_identity(g) and isinstance(config.get(g), dict)]
    words = [f"{group}={_value(config[group].get('name'))}" for group in chosen]
    for key, value in config.items():
        if key in chosen:
            names = [k for k in value if k not in _OF_THE_CHOICE and _is_said(f"{key}.{k}")]
            words += [f"{key}.{k}={_value(value[k])}" for k in names]
        elif _is_said(key):
            words.append(f"{key}={_value(value)}")
    return words


# Values that follow from the choice of a group or from a file.
_OF_THE_CHOICE = frozenset({"name", "_target_", "_partial_", "loader", "file_digest"})


def _is_said(name: str) -> bool:
    return is_identity(name) or name in ("target_accuracy", "noise.file")


def _value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_value(v)}" for key, v in value.items()) + "}"
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)
