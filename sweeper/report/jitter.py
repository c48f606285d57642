"""Moves equal points apart, always in the same way, so that none hides another."""

from collections.abc import Sequence


def levels(values: Sequence[float], near: float) -> list[int]:
    """For each value the nearest of the levels 0, 1, −1, 2, … on which no other value is closer than `near`."""
    placed: list[tuple[float, int]] = []
    found = [0] * len(values)
    for k in sorted(range(len(values)), key=values.__getitem__):
        taken = {level for value, level in placed if abs(value - values[k]) < near}
        found[k] = next(level for level in _outwards(len(values)) if level not in taken)
        placed.append((values[k], found[k]))
    return found


def _outwards(count: int) -> list[int]:
    return [0, *(sign * k for k in range(1, count + 1) for sign in (1, -1))]
