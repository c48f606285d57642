"""Paired comparisons of two methods by seed, and corrections for several comparisons. Pure functions of numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import gammaln, stdtr

from sweeper.aggregate.statistics import confidence_interval, mean, standard_deviation


@dataclass(frozen=True)
class PairedComparison:
    """The comparison of a and b over the pairs of `n` seeds. Figures that need a larger n are NaN.

    Attributes:
        difference, deviation, low, high: mean, standard deviation and t interval of a - b, in the unit of the values.
        p: two-sided, of the paired t test; also NaN if all differences are equal, since their deviation is then 0.
        effect: Hedges' g_z, see `hedges_g`.
        ahead: the number of pairs in which a is above b.
    """

    n: int
    difference: float
    deviation: float
    low: float
    high: float
    p: float
    effect: float
    ahead: int


def compare_paired(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> PairedComparison:
    """Compare values of the same seeds in the same order by the paired t test (Student 1908).

    Raises:
        ValueError: the sequences differ in length.
    """
    differences = [x - y for x, y in zip(a, b, strict=True)]
    n, difference, deviation = len(differences), mean(differences), standard_deviation(differences)
    low, high = confidence_interval(differences, level)
    p = math.nan
    if _varies(differences):
        p = 2 * float(stdtr(n - 1, -abs(difference) / deviation * math.sqrt(n)))
    return PairedComparison(
        n, difference, deviation, low, high, p, hedges_g(differences), sum(d > 0 for d in differences)
    )


def hedges_g(differences: Sequence[float]) -> float:
    """Effect size of paired differences: Cohen's d_z, mean / standard deviation, times Hedges' small-sample correction.

    J(m) = Γ(m / 2) / (√(m / 2) · Γ((m - 1) / 2)) with m = n - 1 degrees of freedom: 0.564 at n = 3, 0.980 at n = 40
    (Hedges 1981, Journal of Educational Statistics 6; d_z: Lakens 2013, Frontiers in Psychology 4:863).
    About 0.2 is called small, 0.5 medium and 0.8 large.

    Returns:
        g_z; NaN for fewer than three values, for which the correction isn't defined, and if all are equal.
    """
    m = len(differences) - 1
    if m < 2 or not _varies(differences):
        return math.nan
    correction = math.exp(gammaln(m / 2) - gammaln((m - 1) / 2)) / math.sqrt(m / 2)
    return correction * mean(differences) / standard_deviation(differences)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for multiple comparisons by Holm's step-down method (Holm 1979, Scand. J. Statistics 6).

    Args:
        p_values: of all comparisons made. NaN, a test that wasn't possible, doesn't count as one.

    Returns:
        The corrected p values in the same order; NaN stays NaN.
    """
    order = sorted((k for k, p in enumerate(p_values) if not math.isnan(p)), key=lambda k: p_values[k])
    corrected = [math.nan] * len(p_values)
    largest = 0.0
    for rank, k in enumerate(order):
        largest = max(largest, (len(order) - rank) * p_values[k])
        corrected[k] = min(1.0, largest)
    return corrected


def _varies(differences: Sequence[float]) -> bool:
    """Whether values differ by more than the rounding error of subtraction, e.g. 0.9 - 0.8 and 0.8 - 0.7."""
    return len(differences) > 1 and standard_deviation(differences) > 1e-12 * max(map(abs, differences))
