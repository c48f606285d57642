"""Statistics over seeds: pure functions of sequences of numbers, one per seed."""

import math
from collections.abc import Iterable, Sequence

import numpy as np


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; NaN without values."""
    return float(np.mean(values)) if len(values) else math.nan


def standard_deviation(values: Sequence[float]) -> float:
    """The sample's standard deviation, with n - 1 in the denominator; NaN for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def confidence_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean, for values that are about normal (Student 1908).

    mean ± t(n - 1, (1 + level) / 2) · s / √n. It isn't bounded: for accuracies near 1 it may end above 1.

    Args:
        values: in any unit; the interval has the same.
        level: the confidence level, in (0, 1).

    Returns:
        (low, high); NaN for fewer than two values.
    """
    from scipy.special import stdtrit  # takes 0.2 s, and training needs only the mean

    n = len(values)
    if n < 2:
        return math.nan, math.nan
    half = float(stdtrit(n - 1, (1 + level) / 2)) * standard_deviation(values) / math.sqrt(n)
    return mean(values) - half, mean(values) + half


def distance_by_chance(groups: Iterable[Sequence[float]], level: float = 0.95) -> float | None:
    """The distance below which two seeds lie with probability `level`: t · √2 · s, with the standard deviation s pooled
    over groups: √(Σ squared deviations from each group's mean ÷ Σ (n - 1)).

    Args:
        groups: the values of each setting's seeds.

    Returns:
        In the unit of the values; None where no group has two of them.
    """
    from scipy.special import stdtrit

    filled = [values for values in groups if values]
    squares = sum((value - sum(values) / len(values)) ** 2 for values in filled for value in values)
    degrees = sum(len(values) - 1 for values in filled)
    if not degrees:
        return None
    return float(stdtrit(degrees, (1 + level) / 2)) * math.sqrt(2) * math.sqrt(squares / degrees)
