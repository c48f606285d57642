"""The probability of improvement over several tasks: how often a run of one method beats one of another.

Higher scores are better; the score of a diverged run is -inf, the worst.
"""

import math
from collections.abc import Sequence

import numpy as np

from sweeper.aggregate.bootstrap import LEVEL, Scores


def probability_of_improvement(a: Scores, b: Scores) -> float:
    """The probability that a run of `a` beats one of `b` on the same task; ties count half (arXiv 2108.13264).

    The Mann-Whitney statistic divided by the number of pairs, averaged over the tasks. 0.5 is no improvement.

    Raises:
        ValueError: a and b have different numbers of tasks.
    """
    return float(np.mean([_share(ours, theirs) for ours, theirs in zip(a, b, strict=True)]))


def improvement_interval(a: Scores, b: Scores) -> tuple[float, float]:
    """Newcombe's interval of `probability_of_improvement(a, b)` (2006, Statistics in Medicine 25, method 5).

    It is Wilson's interval with the variance of the Mann-Whitney statistic: all θ whose distance from the estimate is
    at most a normal quantile times the standard error that θ itself would give. So it stays within 0 and 1, and has a
    width where one method won all pairs, of which resampling makes "100 % to 100 %". The variance of a mean over tasks
    is the sum of theirs, divided by the square of their number.

    Returns:
        (low, high); NaN if a method has fewer than two scores on a task.
    """
    from scipy.optimize import brentq  # takes 0.2 s, and only the page needs it
    from scipy.special import ndtri

    sizes = [(len(ours), len(theirs)) for ours, theirs in zip(a, b, strict=True)]
    if min(min(pair) for pair in sizes) < 2:
        return math.nan, math.nan
    estimate = probability_of_improvement(a, b)
    pairs = sum(1 / (m * n) for m, n in sizes) / len(sizes) ** 2
    shared = sum(((m + n) / 2 - 1) / (m * n) for m, n in sizes) / len(sizes) ** 2
    normal = float(ndtri((1 + LEVEL) / 2))

    def beyond(theta: float) -> float:
        """0 at the ends of the interval, negative within."""
        of_shared = (1 - theta) / (2 - theta) + theta / (1 + theta)
        return (theta - estimate) ** 2 - normal**2 * theta * (1 - theta) * (pairs + shared * of_shared)

    within = min(max(estimate, 1e-9), 1 - 1e-9)  # `beyond` is 0 at an estimate of 0 or 1, which is no end to be found
    low = 0.0 if estimate == 0 else float(brentq(beyond, 0, within))
    high = 1.0 if estimate == 1 else float(brentq(beyond, within, 1))
    return low, high


def _share(a: Sequence[float], b: Sequence[float]) -> float:
    """The share of pairs in which the score of `a` is higher, and half of those that are equal."""
    order = np.sort(np.asarray(b, dtype=float))
    below = sum(np.searchsorted(order, a, side) for side in ("left", "right"))
    return float(np.sum(below)) / 2 / (len(a) * len(b))
