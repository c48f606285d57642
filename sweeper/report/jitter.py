"""Moves equal points apart, always in the same way, so that none hides another."""

import itertools
from collections.abc import Iterator, Sequence


def levels(values: Sequence[float], near: float) -> list[int]:
    """For each value the nearest of the levels 0, 1, −1, 2, … on which no other value is closer than `near`."""
    last: dict[int, float] = {}  # the highest value on each level
    found = [0] * len(values)
    for k in sorted(range(len(values)), key=values.__getitem__):
        level = next(level for level in _outwards() if level not in last or values[k] - last[level] >= near)
        last[level] = values[k]
        found[k] = level
    return found


def _outwards() -> Iterator[int]:
    yield 0
    for k in itertools.count(1):
        yield k
        yield -k
