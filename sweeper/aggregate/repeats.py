"""How far a run trained again may lie from its first run by chance: as far as two seeds lie from each other."""

import math
from collections.abc import Iterable, Sequence

from scipy.special import stdtrit


def pooled_deviation(groups: Iterable[Sequence[float]]) -> tuple[float, int]:
    """The standard deviation within groups, and its degrees of freedom: √(Σ squared deviations from each group's mean
    ÷ Σ (n - 1)); NaN and 0 where no group has two values."""
    filled = [values for values in groups if values]
    squares = sum((value - sum(values) / len(values)) ** 2 for values in filled for value in values)
    degrees = sum(len(values) - 1 for values in filled)
    return math.sqrt(squares / degrees) if degrees else math.nan, degrees


def distance_by_chance(groups: Iterable[Sequence[float]], level: float = 0.95) -> float | None:
    """The distance below which two seeds lie with probability `level`: t · √2 · s, with s pooled over the groups.

    Args:
        groups: the values of each setting's seeds.

    Returns:
        In the unit of the values; None where no group has two of them.
    """
    deviation, degrees = pooled_deviation(groups)
    return float(stdtrit(degrees, (1 + level) / 2)) * math.sqrt(2) * deviation if degrees else None
