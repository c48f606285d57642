"""How many seeds show a true difference, from the scatter seen so far. Pure functions of numbers.

With a seed of each method in every block, the t statistic of a pair has (k - 1)(n - 1) degrees of freedom and the
noncentral t distribution, at a noncentrality of difference / (deviation · √(2 / n)). This takes scores to be normal and
to scatter alike, and the residual deviation of the runs so far to be the true one.
"""

import math
from bisect import bisect_left

from scipy.special import nctdtr

from sweeper.aggregate.comparisons import POWER, Comparison, quantile
from sweeper.system.text import duration, listed

DIFFERENCES = (0.001, 0.002, 0.005)  # as shares
MOST = 10_000  # seeds


def seeds_needed(difference: float, deviation: float, methods: int) -> int | None:
    """The fewest seeds of each method at which the simultaneous interval of one pair lies on the side of 0 of its true
    difference at odds of `POWER`; None if `MOST` are too few.

    Quantiles take long to compute, so few are: between the largest number that is too small and the smallest one that
    suffices, the next to try is the one that would do if its quantile were the last one's.
    """
    too_few, enough, n = 1, MOST + 1, 3
    while enough - too_few > 1:
        n = min(max(n, too_few + 1), enough - 1)
        bound = quantile(methods, (methods - 1) * (n - 1)) / math.sqrt(2)
        do = _fewest(difference / deviation, methods, bound)
        if do <= n:  # with fewer seeds the quantile is larger, so fewer than `do` are too few
            too_few, enough, n = max(too_few, do - 1), n, do
        else:  # with more seeds the quantile is smaller, so `do` are enough
            too_few, enough, n = n, min(enough, do), do - 1
    return enough if enough <= MOST else None


def describe_seeds(comparison: Comparison, seconds: float | None = None) -> list[str]:
    """How many seeds find the `DIFFERENCES`, in words; none if no deviation tells.

    Args:
        seconds: of the device, for one seed of all methods.
    """
    if not comparison.deviation > 0 or len(comparison.methods) < 2:
        return []
    found = [seeds_needed(d, comparison.deviation, len(comparison.methods)) for d in DIFFERENCES]
    sizes = listed((f"{100 * d:g}" for d in DIFFERENCES), "or")
    seeds = listed(map(seeds_words, found if any(found) else found[:1]), "or")
    said = [f"At {100 * POWER:.0f} % power a true difference of {sizes} points takes {seeds} seeds."]
    if seconds and None not in found:
        times = listed((duration(n * seconds) for n in found if n), "or")
        said.append(f"They take {times} of the device, as these runs did.")
    return said


def seeds_words(seeds: int | None) -> str:
    return f"over {MOST:,}" if seeds is None else f"{seeds:,}"


def _power(ratio: float, methods: int, seeds: int, bound: float) -> float:
    odds = 1 - float(nctdtr((methods - 1) * (seeds - 1), ratio * math.sqrt(seeds / 2), bound))
    return odds if math.isfinite(odds) else 1.0


def _fewest(ratio: float, methods: int, bound: float) -> int:
    """The fewest seeds with this bound, two at least; `MOST` + 1 if even `MOST` are too few."""
    seeds = range(2, MOST + 1)
    return seeds[0] + bisect_left(seeds, True, key=lambda n: _power(ratio, methods, n, bound) >= POWER)
