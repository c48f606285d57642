"""Compares methods on one task: score ~ method + seed by least squares, and Tukey's simultaneous intervals.

Pure functions of numbers. The data never choose the method: missing cells are fitted by least squares (Tukey–Kramer).
"""

import itertools
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
from scipy.special import nctdtrinc, stdtrit

from sweeper.aggregate import studentized_range
from sweeper.aggregate.estimates import Scores, fit
from sweeper.aggregate.order import Order
from sweeper.aggregate.scatter import Scatter, plain_scatter

LEVEL = 0.95  # of all intervals of a task together
POWER = 0.8  # at which a difference counts as detectable


@dataclass(frozen=True)
class Difference:
    """The difference a - b of two methods, of which `a` is the higher one, in the unit of the scores.

    Attributes:
        n: the number of seeds that both have.
        difference: by least squares; NaN if no chain of common seeds connects the two.
        error: its standard error; NaN without scatter to judge by.
        low, high: the simultaneous interval; NaN where there is none.
    """

    a: str
    b: str
    n: int
    difference: float
    error: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        return not math.isnan(self.low)

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0

    @property
    def gap(self) -> float:
        """The largest difference in the interval, in either direction."""
        return self.high

    def within(self, margin: float) -> bool:
        """Whether the whole interval lies within ± `margin`: equivalence, if the margin was fixed before the runs."""
        return self.high < margin


@dataclass(frozen=True)
class Comparison:
    """All pairs of the methods of one task.

    Attributes:
        methods: the best first, see `compare`.
        seeds: the number of scores of each method.
        diverged: the number of diverged runs of each method that has any; their scores are in no estimate.
        differences: of every pair.
        deviation: the pooled residual standard deviation; NaN without degrees of freedom, 0 without scatter.
        df: the residual's degrees of freedom.
        scatter: the method that scatters plainly more than the others, if one does.
        ignored: the number of scores that are no finite number; they count as missing.
        noun: what a method is, in words.
        estimates: what each method is ranked by, see `Fit.estimates`.
        complete: whether all have the same seeds.
        adjusted: whether the estimates aren't the means, since seeds are missing.
        losses: whether the scores are losses of accuracy with their sign changed: the better one of a pair loses less.
    """

    methods: tuple[str, ...]
    seeds: Mapping[str, int]
    diverged: Mapping[str, int]
    differences: tuple[Difference, ...]
    deviation: float
    df: int
    scatter: Scatter | None = None
    ignored: int = 0
    noun: str = "optimizer"
    estimates: Mapping[str, float] = field(default_factory=dict)
    complete: bool = True
    adjusted: bool = False
    losses: bool = False

    @cached_property
    def order(self) -> Order:
        """Which method is better than which: its interval excludes 0, and it never diverged."""
        return Order(self.methods, _better(self.differences, self.diverged))

    @property
    def detectable(self) -> float:
        """The true difference that is found, with its right sign, at odds of `POWER` in every pair with an interval.

        By the noncentral t distribution, for the pair of largest standard error and the scatter seen here.
        """
        errors = [d.error for d in self.differences if d.has_interval]
        return detectable_difference(max(errors), self.df, len(self.methods)) if errors else math.nan

    def between(self, a: str, b: str) -> Difference:
        """The difference of two methods, in the direction in which it was estimated."""
        return next(d for d in self.differences if {d.a, d.b} == {a, b})


def compare(
    scores: Scores,
    diverged: Mapping[str, int] | None = None,
    level: float = LEVEL,
    noun: str = "optimizer",
    among: int = 0,
) -> Comparison:
    """Fit score ~ method + seed and compare all pairs (Tukey 1953; Kramer 1956).

    Seeds are blocks: their effects are eliminated, and only methods that a chain of common seeds connects are compared.
    For two methods the interval is Student's paired t interval. The methods stand in the order of their estimates:
    where seeds are missing, a mean may be high by easy seeds alone. Who diverged comes after those of the same lowest
    rank that never did.

    Args:
        scores: of the completed runs. A method without any is compared with none.
        diverged: the number of diverged runs by method.
        level: of all intervals together.
        noun: what a method is, in words.
        among: of how many methods the intervals hold together, if these were chosen from more by their scores.
    """
    cells = {m: {s: v for s, v in by_seed.items() if math.isfinite(v)} for m, by_seed in scores.items()}
    ignored = sum(len(scores[m]) - len(cells[m]) for m in scores)
    lost = {m: count for m, count in (diverged or {}).items() if count}
    found = fit(cells)
    methods, design, effects, rounding = found.methods, found.design, found.effects, found.rounding
    deviation = _above(float(design.deviation(found.residuals)), rounding) if design.df > 0 else math.nan
    errors = deviation * design.errors() if deviation > 0 else np.full((len(methods), len(methods)), math.nan)
    among = max(len(methods), among)
    half = quantile(among, design.df, level) / math.sqrt(2) if np.isfinite(errors).any() else math.nan
    differences = []
    ranked = list(found.estimates)
    for i, j in itertools.combinations([methods.index(m) for m in ranked], 2):
        together = design.parts[i] == design.parts[j]
        a, b = (j, i) if together and effects[j] > effects[i] else (i, j)
        difference = _above(float(effects[a] - effects[b]), rounding) if together else math.nan
        error = float(errors[a, b])
        ends = (difference - half * error, difference + half * error)
        n = int(design.there[[i, j]].all(axis=0).sum())
        differences.append(Difference(methods[a], methods[b], n, difference, error, *ends))
    ranks = Order(tuple(ranked), _better(differences, lost)).ranks
    return Comparison(
        tuple(_best_first(ranked, ranks, lost, design.connected)),
        {m: len(cells[m]) for m in methods},
        lost,
        tuple(differences),
        deviation,
        design.df,
        plain_scatter(dict(zip(methods, found.residuals, strict=True))) if deviation > 0 else None,
        ignored,
        noun,
        found.estimates,
        found.complete,
        found.adjusts,
    )


def _best_first(
    ranked: Sequence[str], ranks: Mapping[str, tuple[int, int]], lost: Container[str], connected: bool
) -> list[str]:
    """Where all are connected, those that never diverged stay in the order of their estimates; their errors differ
    where seeds are missing, so their ranks needn't rise in it. Elsewhere no estimate goes across the parts, and lower
    ranks come first."""
    places: dict[str, int] = {}
    last = 0
    for m in ranked:
        places[m] = ranks[m][0]
        if connected and m not in lost:
            last = places[m] = max(last, places[m])
    return sorted(ranked, key=lambda m: (places[m], m in lost))


def _better(differences: Iterable[Difference], diverged: Container[str]) -> frozenset[tuple[str, str]]:
    return frozenset((d.a, d.b) for d in differences if d.excludes_zero and d.a not in diverged)


@cache
def quantile(methods: int, df: int, level: float = LEVEL) -> float:
    """The quantile of the studentized range of `methods` means; for two it is √2 times Student's t."""
    if methods == 2:
        return math.sqrt(2) * float(stdtrit(df, (1 + level) / 2))
    return studentized_range.quantile(level, methods, df)


def detectable_difference(error: float, df: int, methods: int, power: float = POWER, level: float = LEVEL) -> float:
    """The true difference whose interval lies on its side of 0 at odds of `power`.

    Args:
        error: the standard error of the difference, in any unit; the result is in the same.
    """
    return float(nctdtrinc(df, 1 - power, quantile(methods, df, level) / math.sqrt(2))) * error


def _above(value: float, rounding: float) -> float:
    """The value, or 0 if it is no more than a rounding error."""
    return value if abs(value) > rounding else 0.0
