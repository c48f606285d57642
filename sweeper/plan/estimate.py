"""From the seconds of an epoch to the end of a sweep: arithmetic alone, no torch and no clock."""

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.system.errors import BadInput

RUN_FILES_BYTES = 30_000  # of a run beside weights and metrics: run.json, .hydra/, the log
METRICS_ROW_BYTES = 130
PAGE_BYTES = 5_500_000, 9_000  # of the tables and the page: in any case, and for each run

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Cost:
    """What a run takes: seconds beside its epochs, and of each epoch; `left` epochs are to do."""

    left: int
    run_seconds: float
    epoch_seconds: float

    @property
    def seconds(self) -> float:
        return self.run_seconds + self.left * self.epoch_seconds


def ends(seconds: Sequence[float], at_a_time: int) -> list[float]:
    """When each run ends, if the next one always begins as soon as one of `at_a_time` places is free.

    >>> ends([2, 3, 1], 2)
    [2, 3, 3]
    """
    places = [0.0] * at_a_time
    found = []
    for value in seconds:
        end = heapq.heappop(places) + value
        heapq.heappush(places, end)
        found.append(end)
    return found


def epochs_within(costs: Sequence[Cost], at_a_time: int, beside: float, within: float) -> int:
    """The most epochs with which all these runs, from their beginning, end within so many seconds; 0 if none do.

    Args:
        beside: seconds of the sweep outside of its runs.
    """

    def total(epochs: int) -> float:
        runs = [cost.run_seconds + epochs * cost.epoch_seconds for cost in costs]
        return beside + max(ends(runs, at_a_time), default=0.0)

    low, high = 0, 1
    while total(high) <= within and high < 10**6:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if total(middle) <= within else (low, middle)
    return low


def kept_bytes(runs: Sequence[tuple[int, int]], page: bool = True) -> int:
    """What runs leave on the disk, with the tables and the page of a sweep.

    Args:
        runs: each one's epochs and bytes of weights (0 by save_model=false).
    """
    fixed, each = PAGE_BYTES if page else (0, 0)
    return fixed + sum(each + RUN_FILES_BYTES + epochs * METRICS_ROW_BYTES + weights for epochs, weights in runs)


def read_duration(text: str) -> float:
    """Seconds of a time such as `5h`, `1h30m`, `90 min` or `300`, which are seconds.

    Raises:
        BadInput: it is none, or not above 0.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(min|[smhd]|$)", text.strip().lower())
    spelt = "".join(f"{number}{unit}" for number, unit in parts)
    seconds = sum(float(number) * _UNITS.get(unit, 1) for number, unit in parts)
    if not seconds or spelt != re.sub(r"\s", "", text.lower()):
        raise BadInput(
            f"--within {text or 'needs a value'}: must be a time above 0, such as 5h, 90min, 1h30m or 300 (seconds)"
        )
    return seconds
