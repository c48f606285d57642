"""Uncertainty by resampling seeds: ranks, the interquartile mean, the probability of improvement.

Higher scores are better. The score of a diverged run is -inf, the worst: it has a rank in every order, and a mean that
includes it is -inf, too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000

Scores = Sequence[Sequence[float]]  # for each task the scores of its seeds


@dataclass(frozen=True)
class Rank:
    """A rank; 1 is best, and ties share the mean of their ranks. `low` to `high` contains 95 % of the resamples."""

    rank: float
    low: float
    high: float


def rank_with_interval(scores: Sequence[Sequence[float]], level: float = 0.95, seed: int = 0) -> list[Rank]:
    """Rank methods by mean score, with percentile bootstrap intervals from `RESAMPLES` resamples of the seeds.

    All methods get the same resampled seeds, so a seed's effect on all of them alike changes no rank. Three seeds have
    only ten different resamples: the interval is then rough, and rather too narrow.

    Args:
        scores: (methods, seeds), the same seeds in the same order for each method, at least one.
        seed: seeds the resampling.
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
    """The mean of the middle half of all tasks' pooled scores (arXiv 2108.13264).

    A quarter of the scores, rounded down, is left out at either end.

    Returns:
        -inf if a diverged run is in the middle half; NaN without scores.
    """
    pooled = np.sort(np.concatenate([np.asarray(task, dtype=float) for task in tasks])) if tasks else np.array([])
    cut = len(pooled) // 4
    middle = pooled[cut : len(pooled) - cut]
    return float(middle.mean()) if len(middle) else math.nan


def probability_of_improvement(a: Scores, b: Scores) -> float:
    """The probability that a run of `a` beats one of `b` on the same task; ties count half (arXiv 2108.13264).

    The Mann-Whitney statistic divided by the number of pairs, averaged over the tasks. 0.5 is no improvement.

    Raises:
        ValueError: a and b have different numbers of tasks.
    """
    shares = []
    for ours, theirs in zip(a, b, strict=True):
        x, y = np.asarray(ours, dtype=float)[:, None], np.asarray(theirs, dtype=float)[None, :]
        shares.append(float((x > y).mean() + (x == y).mean() / 2))
    return float(np.mean(shares))


def stratified_interval(
    statistic: Callable[..., float], *methods: Scores, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of `statistic(*methods)`; each task's seeds are resampled separately.

    This is the stratified bootstrap of arXiv 2108.13264.

    Args:
        methods: the arguments of the statistic; each task has at least one score.
        seed: seeds the resampling.
    """
    numbers = np.random.default_rng(seed)

    def drawn(tasks: Scores) -> list[np.ndarray]:
        return [numbers.choice(np.asarray(task, dtype=float), len(task)) for task in tasks]

    found = np.array([statistic(*map(drawn, methods)) for _ in range(RESAMPLES)])
    low, high = _quantiles(found[None, :], level)
    return float(low[0]), float(high[0])


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Ranks along the methods, from scores (methods, resamples) and of the same shape."""
    above = (scores[None, :, :] > scores[:, None, :]).sum(axis=1)
    equal = (scores[None, :, :] == scores[:, None, :]).sum(axis=1)
    ranks: np.ndarray = 1 + above + (equal - 1) / 2
    return ranks


def _quantiles(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the central `level` along the last axis, without interpolation, which -inf doesn't allow."""
    ends = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(values, ends, axis=-1, method="nearest")
    return low, high
