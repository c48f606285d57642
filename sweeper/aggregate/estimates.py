"""The fit of score ~ method + seed to the scores of methods, and their order by it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sweeper.aggregate.block_design import BlockDesign
from sweeper.aggregate.statistics import mean

ROUNDING = 1e-12  # of the largest score: what is no larger is 0

Scores = Mapping[str, Mapping[int, float]]  # by method and seed; higher is better


@dataclass(frozen=True, eq=False)
class Fit:
    """The fit to finite scores, one or more of each method.

    Attributes:
        means: of each method, the highest first; equal ones stay in the order in which they came.
        table: (methods, seeds), in the order of `means`; NaN where there is no score.
    """

    means: dict[str, float]
    table: np.ndarray

    @property
    def methods(self) -> list[str]:
        return list(self.means)

    @cached_property
    def design(self) -> BlockDesign:
        return BlockDesign(np.isfinite(self.table))

    @cached_property
    def effects(self) -> np.ndarray:
        """Of each method. Their differences are estimates, within a connected part of the design."""
        return self._effects_and_residuals[0]

    @property
    def residuals(self) -> np.ndarray:
        return self._effects_and_residuals[1]

    @cached_property
    def rounding(self) -> float:
        """Of a difference: what is no larger is 0."""
        return ROUNDING * float(np.nanmax(np.abs(self.table), initial=0.0))

    @property
    def complete(self) -> bool:
        """Whether all methods have the same seeds."""
        return bool(self.design.there.all())

    @property
    def adjusts(self) -> bool:
        """Whether the estimates aren't the means: seeds are missing, and all methods can be compared nevertheless."""
        return not self.complete and self.design.connected

    @cached_property
    def estimates(self) -> dict[str, float]:
        """Of each method what it is ranked by, the highest first: its mean, from which a seed that only some have takes
        its ease or hardship where all can be compared. What differs by rounding alone is equal."""
        if not self.adjusts:
            return dict(self.means)
        of_seeds = np.nanmean(self.table - self.effects[:, None], axis=0)
        adjusted = dict(zip(self.means, map(float, self.effects + of_seeds.mean()), strict=True))
        found: dict[str, float] = {}
        for method in sorted(adjusted, key=lambda m: -adjusted[m]):
            last = next(reversed(found.values()), np.inf)
            found[method] = adjusted[method] if last - adjusted[method] > self.rounding else last
        return {m: found[m] for m in sorted(adjusted, key=lambda m: -found[m])}

    @cached_property
    def _effects_and_residuals(self) -> tuple[np.ndarray, np.ndarray]:
        return self.design.fit(self.table)


def fit(scores: Scores) -> Fit:
    """See `Fit`.

    Args:
        scores: finite ones; a method without any is left out.
    """
    means = {m: mean(list(by_seed.values())) for m, by_seed in scores.items() if by_seed}
    ordered = dict(sorted(means.items(), key=lambda item: -item[1]))
    seeds = sorted({seed for m in ordered for seed in scores[m]})
    table = np.array([[scores[m].get(s, np.nan) for s in seeds] for m in ordered]).reshape(len(ordered), len(seeds))
    return Fit(ordered, table)
