"""How far a run is while it trains, within its epoch too: its process tells it in the run's lock."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.checks import AMOUNT, SECONDS, Damaged
from sweeper.runs.layout import LOCK_FILE
from sweeper.system.lock import read_lock


@dataclass(frozen=True)
class UnderWay:
    """A run's progress.

    Attributes:
        epochs: done, with the part of the one under way.
        pace: seconds per epoch since its process began; None before the first step.
        age: seconds since this was so.
    """

    epochs: float
    pace: float | None
    age: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For the lock."""
        return {} if self.pace is None else {"epochs": round(self.epochs, 4), "pace": round(self.pace, 4)}


def read_under_way(directory: Path, now: float) -> UnderWay | None:
    """What the lock of a run that trains tells; None before its first step, and of one that isn't as we write it.

    Args:
        now: in seconds since 1970.
    """
    path = directory / LOCK_FILE
    seen = read_lock(path) or {}
    work = seen.get("work")
    if not isinstance(work, dict):
        return None
    with contextlib.suppress(Damaged, OSError):
        epochs, pace = AMOUNT.check("epochs", work.get("epochs")), SECONDS.check("pace", work.get("pace"))
        unchanged = SECONDS.check("unchanged", seen.get("unchanged"))
        if epochs is not None and pace and unchanged is not None:
            return UnderWay(epochs, pace, unchanged + max(0.0, now - path.stat().st_mtime))
    return None
