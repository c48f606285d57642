"""The interquartile mean over several tasks, with an interval by resampling seeds.

Higher scores are better. The score of a diverged run is -inf, the worst; a mean that includes it is -inf, too.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

LEVEL = 0.95  # of the interval
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


def stratified_interval(statistic: Callable[[list[np.ndarray]], Any], tasks: Scores) -> tuple[float, float]:
    """Student's t interval of `statistic(tasks)` with a bootstrap standard error (Hesterberg 2015, arXiv 1411.5279).

    Seeds are resampled within each task, as in arXiv 2108.13264. The percentiles that are taken there are too narrow
    for few seeds: `python -m benchmarks.coverage`. Two things are missing from them. Resamples of n scores have only
    (n − 1) / n of the variance, so the scores are moved away from their task's mean by √(n / (n − 1)) first. And the
    scatter itself is only estimated, hence the t quantile, with a degree of freedom less than scores for each task.

    Args:
        statistic: of scores along the last axis, for several resamples at once.

    Returns:
        (low, high); NaN if a task has fewer than two scores or one that isn't finite, and where nothing scatters.
    """
    from scipy.special import stdtrit  # takes 0.2 s

    known = [np.asarray(task, dtype=float) for task in tasks]
    sizes = [len(task) for task in known]
    if min(sizes) < 2 or not all(np.isfinite(task).all() for task in known):
        return math.nan, math.nan
    wide = [task.mean() + (task - task.mean()) * math.sqrt(n / (n - 1)) for task, n in zip(known, sizes, strict=True)]
    found = [statistic([task[places] for task, places in zip(wide, block, strict=True)]) for block in _resamples(sizes)]
    middle, error = float(statistic(known)), float(np.concatenate(found).std(ddof=1))
    if error <= 1e-12 * abs(middle):
        return math.nan, math.nan
    half = float(stdtrit(sum(sizes) - len(sizes), (1 + LEVEL) / 2)) * error
    return middle - half, middle + half


def _resamples(sizes: Sequence[int]) -> Iterator[list[np.ndarray]]:
    """For each size the places that resamples with replacement take, a row each; `RESAMPLES` in all, in blocks.

    A block has `BLOCK` places at most, if a resample has no more, so that memory doesn't grow with the scores.
    """
    highs = np.repeat(sizes, sizes)
    numbers = np.random.default_rng(0)
    ends = np.cumsum(sizes)[:-1]
    rows = max(1, BLOCK // len(highs))
    for start in range(0, RESAMPLES, rows):
        places = numbers.integers(0, highs, (min(rows, RESAMPLES - start), len(highs)))
        yield np.split(places, ends, axis=1)
