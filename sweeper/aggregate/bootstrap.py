"""Uncertainty by resampling seeds: ranks, the interquartile mean, the probability of improvement.

Scores are better when higher. A diverged run's score is -inf, the worst there is: it takes part in every order and is
averaged into no number, since a mean that it takes part in is -inf itself.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000

Scores = Sequence[Sequence[float]]  # for each task its seeds' scores


@dataclass(frozen=True)
class Rank:
    """1 is best; methods that tie share the mean of their ranks. Between `low` and `high` lie 95 % of the resamples."""

    rank: float
    low: float
    high: float


def rank_with_interval(scores: Sequence[Sequence[float]], level: float = 0.95, seed: int = 0) -> list[Rank]:
    """Rank methods by mean score, and again for each of `RESAMPLES` resamples of the seeds (percentile bootstrap).

    All methods get the same resampled seeds, so what a seed does to all of them alike moves no rank. Of three seeds
    there are ten different resamples only: the interval is then a rough one, and rather too narrow.

    Args:
        scores: (methods, seeds), the same seeds in the same order for each method, at least one.
        seed: of the resampling.
    """
    values = np.array(scores, dtype=float)
    n = values.shape[1]
    drawn = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
    ranks = _ranks(values[:, drawn].mean(axis=2))
    ends = _quantiles(ranks, level)
    return [
        Rank(float(rank), float(low), float(high))
        for rank, low, high in zip(_ranks(values.mean(axis=1, keepdims=True))[:, 0], *ends, strict=True)
    ]


def interquartile_mean(tasks: Scores) -> float:
    """The mean of the middle half of all tasks' scores together (arXiv 2108.13264).

    A quarter, rounded down, is left out at either end.

    Returns:
        -inf if a diverged run is in the middle half; NaN of nothing.
    """
    pooled = np.sort(np.concatenate([np.asarray(task, dtype=float) for task in tasks])) if tasks else np.array([])
    cut = len(pooled) // 4
    middle = pooled[cut : len(pooled) - cut]
    return float(middle.mean()) if len(middle) else math.nan


def probability_of_improvement(a: Scores, b: Scores) -> float:
    """How often a run of `a` beats one of `b` on the same task, a tie counting half (arXiv 2108.13264).

    The Mann-Whitney statistic over the number of pairs, averaged over the tasks. 0.5 is no improvement.

    Raises:
        ValueError: a and b differ in the number of tasks.
    """
    shares = []
    for ours, theirs in zip(a, b, strict=True):
        x, y = np.asarray(ours, dtype=float)[:, None], np.asarray(theirs, dtype=float)[None, :]
        shares.append(float((x > y).mean() + (x == y).mean() / 2))
    return float(np.mean(shares))


def stratified_interval(
    statistic: Callable[..., float], *methods: Scores, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap of `statistic(*methods)`, each task's seeds drawn anew by themselves (arXiv 2108.13264).

    Args:
        methods: what the statistic takes; each task has at least one score.
        seed: of the resampling.
    """
    numbers = np.random.default_rng(seed)

    def drawn(tasks: Scores) -> list[np.ndarray]:
        return [numbers.choice(np.asarray(task, dtype=float), len(task)) for task in tasks]

    found = np.array([statistic(*map(drawn, methods)) for _ in range(RESAMPLES)])
    low, high = _quantiles(found[None, :], level)
    return float(low[0]), float(high[0])


def _ranks(scores: np.ndarray) -> np.ndarray:
    """(methods, resamples) to ranks of the same shape, along the methods."""
    above = (scores[None, :, :] > scores[:, None, :]).sum(axis=1)
    equal = (scores[None, :, :] == scores[:, None, :]).sum(axis=1)
    ranks: np.ndarray = 1 + above + (equal - 1) / 2
    return ranks


def _quantiles(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the middle `level` along the last axis; of values that occur, since -inf can't be interpolated."""
    ends = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(values, ends, axis=-1, method="nearest")
    return low, high
