"""Detects one method that scatters plainly more than the others, and what that does to the error rate.

It never changes the method of comparison: it adds a warning.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from sweeper.aggregate.labels import quoted

TRIGGER = 0.05  # level of Cochran's test of the largest variance

# The family-wise error of nominal 5 %, by the number of methods, where one of them scatters so many times as much as
# the others: the largest of 3, 5 and 10 seeds, as simulated by `python -m benchmarks.power`.
ERROR_RATES = {
    3: {2: 0.061, 4: 0.081, 8: 0.096},
    5: {2: 0.073, 4: 0.124, 8: 0.156},
    10: {2: 0.090, 4: 0.182, 8: 0.247},
    18: {2: 0.099, 4: 0.232, 8: 0.328},
}


@dataclass(frozen=True)
class Scatter:
    """A method whose residual deviation is `ratio` times that of the others together."""

    method: str
    ratio: float
    methods: int

    @property
    def simulated(self) -> tuple[int, float]:
        """The next simulated ratio and the family-wise error there, of the next simulated number of methods.

        Beyond the table they are its last; the error grows with the number of methods, so it is at least that, see
        `beyond`.
        """
        rates = ERROR_RATES[next((k for k in sorted(ERROR_RATES) if k >= self.methods), max(ERROR_RATES))]
        ratio = next((r for r in sorted(rates) if r >= self.ratio), max(rates))
        return ratio, rates[ratio]

    @property
    def words(self) -> str:
        times = "far more than" if math.isinf(self.ratio) else f"{self.ratio:.1f} times as much as"
        return f"{quoted(self.method)} scatters {times} the others"

    @property
    def beyond(self) -> bool:
        """Whether there are more methods than any that were simulated."""
        return self.methods > max(ERROR_RATES)


def plain_scatter(residuals: Mapping[str, np.ndarray]) -> Scatter | None:
    """The method of largest residual variance, if Cochran's test with unequal numbers ('t Lam 2010) finds it at 5 %.

    With two methods nothing can be found: their residuals mirror each other, and the paired t interval needs no equal
    variances.

    Args:
        residuals: of the fit, by method; NaN where there is no score.
    """
    squares = {m: float(np.nansum(r**2)) for m, r in residuals.items()}
    dfs = {m: int(np.isfinite(r).sum()) - 1 for m, r in residuals.items()}
    squares = {m: s for m, s in squares.items() if dfs[m] > 0}
    if len(squares) < 3:
        return None
    largest = max(squares, key=lambda m: squares[m] / dfs[m])
    total, df = sum(squares.values()), sum(dfs[m] for m in squares)
    own, others = dfs[largest], df - dfs[largest]
    critical = 1 / (1 + others / own / float(fdtri(own, others, 1 - TRIGGER / len(squares))))
    if not squares[largest] > critical * total:
        return None
    rest = (total - squares[largest]) / others
    ratio = math.sqrt(squares[largest] / own / rest) if rest > 0 else math.inf
    return Scatter(largest, ratio, len(residuals))
