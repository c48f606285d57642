"""What a run was computed on: its device, when it started, and the device time it took."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.checks import SECONDS, TEXT
from sweeper.runs.record import Damaged, read_run


@dataclass(frozen=True)
class Compute:
    """Texts are "" if not recorded.

    Attributes:
        started: UTC, e.g. `2025-01-31T12:00:00Z`.
        device_seconds: the device time of the run, its share if several ran at once; None if not recorded.
    """

    device_name: str = ""
    started: str = ""
    device_seconds: float | None = None


def compute_of(environment: dict[str, Any]) -> Compute:
    """Of a record's environment.

    Raises:
        Damaged: a value is of another kind.
    """
    name, started = (TEXT.check(key, environment.get(key)) or "" for key in ("device_name", "started"))
    return Compute(name, started, SECONDS.check("device_seconds", environment.get("device_seconds")))


def read_compute(path: str) -> Compute:
    """Of the run in the directory `path`; an empty one if its record can't be read any more."""
    try:
        return compute_of(read_run(Path(path))["environment"])
    except Damaged:
        return Compute()
