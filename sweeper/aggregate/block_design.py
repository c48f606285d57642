"""Least squares of score ~ method + seed, cells of which may be missing (intrablock analysis of block designs)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class BlockDesign:
    """Which method was run with which seed: (methods, seeds), at least one score for each."""

    there: np.ndarray

    @cached_property
    def inverse(self) -> np.ndarray:
        """(methods, methods): i - j has the variance σ² (inverse[i, i] + inverse[j, j] - 2 inverse[i, j])."""
        return np.linalg.pinv(np.diag(self.there.sum(axis=1)) - self._shares @ self.there.T, hermitian=True)

    @cached_property
    def df(self) -> int:
        """The residual's degrees of freedom: scores - methods - seeds + connected parts."""
        methods, seeds = self.there.shape
        return int(self.there.sum()) - methods - seeds + len(set(self.parts))

    @cached_property
    def parts(self) -> list[int]:
        """The connected part of each method, as a number. Methods with a common seed are connected; a difference can be
        estimated within a part only."""
        together = self.there.astype(int) @ self.there.T.astype(int) > 0
        part = [-1] * len(together)
        for start in range(len(together)):
            waiting = [start] if part[start] < 0 else []
            while waiting:
                k = waiting.pop()
                part[k] = start
                waiting += [int(other) for other in np.flatnonzero(together[k]) if part[other] < 0]
        return part

    @property
    def connected(self) -> bool:
        """Whether every difference can be estimated."""
        return len(set(self.parts)) <= 1

    def fit(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The methods' effects (…, methods), whose differences are estimates, and the residuals (…, methods, seeds).

        Args:
            scores: (…, methods, seeds); values of missing cells are ignored. The residuals there are NaN.
        """
        center = np.where(self.there, scores, 0.0).sum(axis=(-2, -1), keepdims=True) / max(1, self.there.sum())
        values = np.where(self.there, scores - center, 0.0)
        effects = (values.sum(axis=-1) - values.sum(axis=-2) @ self._shares.T) @ self.inverse
        left = np.where(self.there, values - effects[..., None], 0.0)
        of_seeds = left.sum(axis=-2) / self.there.sum(axis=0)
        return effects, np.where(self.there, left - of_seeds[..., None, :], np.nan)

    def deviation(self, residuals: np.ndarray) -> np.ndarray:
        """The pooled residual deviation, of each study in the leading axes."""
        deviations: np.ndarray = np.sqrt(np.nansum(residuals**2, axis=(-2, -1)) / self.df)
        return deviations

    def errors(self) -> np.ndarray:
        """(methods, methods): the standard error of each difference in units of the residual deviation; NaN where it
        can't be estimated."""
        variances = np.diag(self.inverse)[:, None] + np.diag(self.inverse)[None, :] - 2 * self.inverse
        parts = np.array(self.parts)
        return np.where(parts[:, None] == parts[None, :], np.sqrt(np.maximum(variances, 0.0)), np.nan)

    @cached_property
    def _shares(self) -> np.ndarray:
        return self.there / self.there.sum(axis=0)
