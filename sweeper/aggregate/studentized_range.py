"""The studentized range: the range of k standard normal means over an independent deviation of so many degrees.

Its distribution is an integral over the deviation of an integral over the lowest mean (Lund and Lund, AS 190, 1983).
Both are sums at evenly spaced points here, which for smooth functions that vanish at both ends are exact to rounding.
`scipy.stats.studentized_range` gives the same, many times as slowly.
"""

import math
from functools import cache

import numpy as np
from scipy.special import chdtri, ndtr

HIGHEST, SPACING = 8.5, 0.2  # of the lowest mean: beyond, the normal density is below 1e-16
FINEST = 0.08  # the spacing of the deviation's logarithm at few degrees of freedom; at many it scatters less
NEARLY_ALL = 1e-15  # of the deviation's distribution is left out at either end
ENDLESS = 1e16  # degrees of freedom: from here on the distribution is the limit's to the last bit
LARGEST = 1e9  # quantile that is looked for


def probability(q: float, k: int, df: float) -> float:
    """That the studentized range of `k` means is at most `q`."""
    s, weights = _deviations(df)
    z = np.arange(-HIGHEST, HIGHEST + SPACING, SPACING)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    inside = ndtr(z) - ndtr(z - q * s[:, None])
    return float(weights @ (k * SPACING * (inside ** (k - 1)) @ density))


@cache
def _deviations(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Deviations, evenly spaced in their logarithm, with the weight of each; a single 1 for infinitely many degrees."""
    if df >= ENDLESS:
        return np.ones(1), np.ones(1)
    low, high = (math.log(chdtri(df, p) / df) / 2 for p in (1 - NEARLY_ALL, NEARLY_ALL))
    step = min(FINEST, 0.5 / math.sqrt(2 * df))
    t = np.arange(low, high, step)
    weights = np.exp(-df / 2 * (np.expm1(2 * t) - 2 * t))  # without differences of large numbers
    return np.exp(t), weights / weights.sum()


def quantile(level: float, k: int, df: float) -> float:
    """The value that the range doesn't exceed at odds of `level`; infinity if it is beyond `LARGEST`."""
    low, high = 0.0, 4.0
    while high < LARGEST and probability(high, k, df) < level:
        low, high = high, 2 * high
    below, above = probability(low, k, df) - level, probability(high, k, df) - level
    if above < 0:
        return math.inf
    while high - low > 1e-12 * high:  # regula falsi, by Illinois: an end that stays counts half
        middle = high - above * (high - low) / (above - below)
        found = probability(middle, k, df) - level
        if found == 0 or not low < middle < high:
            return middle
        if found < 0:
            low, below, above = middle, found, above / 2
        else:
            high, above, below = middle, found, below / 2
    return (low + high) / 2
