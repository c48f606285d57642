"""How many seeds show a true difference, from the scatter seen so far. Pure functions of numbers.

With a seed of each method in every block, the t statistic of a pair has (k - 1)(n - 1) degrees of freedom and the
noncentral t distribution, at a noncentrality of difference / (deviation · √(2 / n)). This takes scores to be normal and
to scatter alike, and the residual deviation of the runs so far to be the true one.
"""

import math
from collections.abc import Iterable

from scipy.special import nctdtr

from sweeper.aggregate.comparisons import LEVEL, POWER, Comparison, quantile
from sweeper.system.text import duration

DIFFERENCES = (0.001, 0.002, 0.005)  # as shares
MOST = 10_000  # seeds


def pair_power(difference: float, deviation: float, methods: int, seeds: int, level: float = LEVEL) -> float:
    """The odds that the simultaneous interval of one pair lies on the side of 0 of its true difference.

    Args:
        difference: the true one, above 0.
        deviation: the residual deviation, in the same unit.
        seeds: of each method, two or more.
    """
    bound = quantile(methods, (methods - 1) * (seeds - 1), level) / math.sqrt(2)
    return _power(difference / deviation, methods, seeds, bound)


def seeds_needed(
    difference: float, deviation: float, methods: int, power: float = POWER, level: float = LEVEL
) -> int | None:
    """The fewest seeds of each method at which `pair_power` reaches `power`; None if `MOST` are too few.

    Quantiles take long to compute, so few are: between the largest number that is too small and the smallest one that
    suffices, the next to try is the one that would do if its quantile were the last one's.
    """
    too_few, enough, n = 1, MOST + 1, 3
    while enough - too_few > 1:
        n = min(max(n, too_few + 1), enough - 1)
        bound = quantile(methods, (methods - 1) * (n - 1), level) / math.sqrt(2)
        do = _fewest(difference / deviation, methods, bound, power)
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
    sizes, seeds = _either(f"{100 * d:g}" for d in DIFFERENCES), _either(map(seeds_words, found))
    said = [f"At {100 * POWER:.0f} % power a true difference of {sizes} points takes {seeds} seeds."]
    if seconds and None not in found:
        said.append(f"They take {_either(duration(n * seconds) for n in found if n)} of the device, as these runs did.")
    return said


def seeds_words(seeds: int | None) -> str:
    return f"over {MOST:,}" if seeds is None else f"{seeds:,}"


def _either(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}"


def _power(ratio: float, methods: int, seeds: int, bound: float) -> float:
    odds = 1 - float(nctdtr((methods - 1) * (seeds - 1), ratio * math.sqrt(seeds / 2), bound))
    return odds if math.isfinite(odds) else 1.0


def _fewest(ratio: float, methods: int, bound: float, power: float) -> int:
    """The fewest seeds with this bound; `MOST` + 1 if even `MOST` are too few."""
    low, high = 1, MOST + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(ratio, methods, middle, bound) >= power else (middle, high)
    return high
