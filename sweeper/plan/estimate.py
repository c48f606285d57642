"""Computes a sweep's duration and disk space from the costs of its runs; no torch and no clock."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

RUN_FILES_BYTES = 30_000  # of a run besides weights and metrics: run.json, .hydra/, the log
METRICS_ROW_BYTES = 130
PAGE_BYTES = 5_500_000, 9_000  # of the tables and the page: constant, and per run


@dataclass(frozen=True)
class Cost:
    """A run's cost: seconds besides its epochs and seconds per epoch; `left` epochs remain."""

    left: int
    run_seconds: float
    epoch_seconds: float

    @property
    def seconds(self) -> float:
        return self.run_seconds + self.left * self.epoch_seconds


def ends(seconds: Sequence[float], at_a_time: int) -> list[float]:
    """When each run ends, if the next one starts as soon as one of `at_a_time` workers is free.

    >>> ends([2, 3, 1], 2)
    [2.0, 3.0, 3.0]
    """
    places = [0.0] * at_a_time
    found = []
    for value in seconds:
        end = heapq.heappop(places) + value
        heapq.heappush(places, end)
        found.append(end)
    return found


def epochs_within(costs: Sequence[Cost], at_a_time: int, beside: float, within: float) -> int:
    """The largest number of epochs with which all these runs, from the start, end within so many seconds; 0 if none.

    Args:
        beside: seconds of the sweep outside its runs.
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
    """The bytes that runs leave on the disk, with a sweep's tables and page.

    Args:
        runs: for each run its epochs and the bytes of its weights (0 with save_model=false).
    """
    fixed, each = PAGE_BYTES if page else (0, 0)
    return fixed + sum(each + RUN_FILES_BYTES + epochs * METRICS_ROW_BYTES + weights for epochs, weights in runs)
