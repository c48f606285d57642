"""Statistics over several tasks, with intervals by resampling seeds: interquartile mean, probability of improvement.

Higher scores are better. The score of a diverged run is -inf, the worst; a mean that includes it is -inf, too.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

RESAMPLES = 2000
BLOCK = 1_000_000  # scores of resamples in memory at a time, 8 MB

Scores = Sequence[Sequence[float]]  # for each task the scores of its seeds


def min_max(methods: Scores) -> list[list[float]]:
    """One task's scores by method, normalized: 0 is the lowest mean of its methods and 1 the highest.

    So that every task weighs the same in a mean over tasks, whatever its difficulty: arXiv 2108.13264 pools scores
    normalized per task. Single scores may lie outside [0, 1]. A diverged run stays -inf and enters no mean.
    Where all means are equal, every other score becomes 0.5.
    """
    means = [float(np.mean(finite)) for scores in methods if (finite := [s for s in scores if math.isfinite(s)])]
    low, high = (min(means), max(means)) if means else (0.0, 0.0)

    def normalized(score: float) -> float:
        if not math.isfinite(score):
            return score
        return (score - low) / (high - low) if high - low > 1e-12 * abs(high) else 0.5

    return [[normalized(score) for score in scores] for scores in methods]


def interquartile_mean(tasks: Scores | Sequence[np.ndarray]) -> Any:
    """The mean of the middle half of all tasks' pooled scores, which should be normalized (arXiv 2108.13264).

    A quarter of the scores, rounded down, is left out at either end.

    Args:
        tasks: along the last axis; a mean for each element of the others.

    Returns:
        -inf if a diverged run is in the middle half; NaN without scores.
    """
    if not tasks:
        return math.nan
    pooled = np.sort(np.concatenate([np.asarray(task, dtype=float) for task in tasks], axis=-1), axis=-1)
    cut = pooled.shape[-1] // 4
    return np.ascontiguousarray(pooled[..., cut : pooled.shape[-1] - cut]).mean(axis=-1)


def probability_of_improvement(a: Scores, b: Scores) -> float:
    """The probability that a run of `a` beats one of `b` on the same task; ties count half (arXiv 2108.13264).

    The Mann-Whitney statistic divided by the number of pairs, averaged over the tasks. 0.5 is no improvement.

    Raises:
        ValueError: a and b have different numbers of tasks.
    """
    shares = []
    for ours, theirs in zip(a, b, strict=True):
        once = np.ones((1, len(ours))), np.ones((1, len(theirs)))
        shares.append(_wins(ours, theirs, *once)[0] / (len(ours) * len(theirs)))
    return float(np.mean(shares))


def stratified_interval(
    statistic: Callable[[list[np.ndarray]], Any], tasks: Scores, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of `statistic(tasks)`; each task's seeds are resampled separately.

    This is the stratified bootstrap of arXiv 2108.13264.

    Args:
        statistic: of scores along the last axis, for several resamples at once.
        tasks: each has at least one score.
        seed: seeds the resampling.
    """
    known = [np.asarray(task, dtype=float) for task in tasks]
    found = [
        statistic([task[places] for task, places in zip(known, block, strict=True)])
        for block in _resamples([len(task) for task in tasks], seed)
    ]
    return _interval(np.concatenate(found), level)


def improvement_interval(a: Scores, b: Scores, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """The same interval of `probability_of_improvement(a, b)`.

    A resample has the same scores in other numbers, so only these are counted.
    """
    found = []
    for block in _resamples([len(task) for task in (*a, *b)], seed):
        total = np.zeros(len(block[0]))
        for ours, theirs, own, others in zip(a, b, block[: len(a)], block[len(a) :], strict=True):
            wins = _wins(ours, theirs, _counts(own, len(ours)), _counts(others, len(theirs)))
            total += wins / (len(ours) * len(theirs))
        found.append(total / len(a))
    return _interval(np.concatenate(found), level)


def _wins(a: Sequence[float], b: Sequence[float], of_a: np.ndarray, of_b: np.ndarray) -> np.ndarray:
    """The pairs in which the score of `a` is higher, and half of those that are equal; exact, for each resample.

    Args:
        of_a: float64 (resamples, scores), how often each score is taken.
    """
    order = np.argsort(b)
    up_to = np.concatenate([np.zeros((len(of_b), 1)), np.cumsum(of_b[:, order], axis=1)], axis=1)
    ends = [np.searchsorted(np.asarray(b, dtype=float)[order], a, side) for side in ("left", "right")]
    below = (up_to[:, ends[0]] + up_to[:, ends[1]]) / 2
    wins: np.ndarray = (of_a * below).sum(axis=1)
    return wins


def _resamples(sizes: Sequence[int], seed: int) -> Iterator[list[np.ndarray]]:
    """For each size the places that resamples with replacement take, a row each; `RESAMPLES` in all, in blocks.

    A block has `BLOCK` places at most, if a resample has no more, so that memory doesn't grow with the scores.
    """
    highs = np.repeat(sizes, sizes)
    numbers = np.random.default_rng(seed)
    ends = np.cumsum(sizes)[:-1]
    rows = max(1, BLOCK // len(highs))
    for start in range(0, RESAMPLES, rows):
        places = numbers.integers(0, highs, (min(rows, RESAMPLES - start), len(highs)))
        yield np.split(places, ends, axis=1)


def _counts(places: np.ndarray, size: int) -> np.ndarray:
    """For each resample how often it takes each place."""
    rows = np.arange(len(places))[:, None] * size
    return np.bincount((rows + places).ravel(), minlength=len(places) * size).reshape(len(places), size).astype(float)


def _interval(values: np.ndarray, level: float) -> tuple[float, float]:
    """The ends of the central `level`, without interpolation, which -inf doesn't allow."""
    low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2), method="nearest")
    return float(low), float(high)
