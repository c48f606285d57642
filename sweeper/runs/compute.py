"""What a run was computed on: its device, when it started, and the device time, energy and money that it took."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.checks import SECONDS, TEXT
from sweeper.runs.record import Damaged, read_run
from sweeper.runs.rows import Run
from sweeper.system.text import amount


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


def describe_amounts(runs: Sequence[Run]) -> str:
    """What the runs took of their GPU's energy and what they cost, where it was recorded, e.g. `these runs took 0.034
    kWh of their GPU and cost 1.25`; "" if neither was. No full stop."""
    told, (these, their) = [], ("this run", "its") if len(runs) == 1 else ("these runs", "their")
    for name, words in (("energy_kwh", f"took {{}} kWh of {their} GPU"), ("cost", "cost {}")):
        known = [value for run in runs if (value := run.values.get(name)) is not None]
        if known:
            have = "has" if len(known) == 1 else "have"
            some = f" ({len(known):,} of {len(runs):,} {have} it recorded)" if len(known) < len(runs) else ""
            told.append(words.format(amount(sum(known))) + some)
    return f"{these} {' and '.join(told)}" if told else ""
