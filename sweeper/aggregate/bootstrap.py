"""Statistics over several tasks, with intervals by resampling seeds: interquartile mean, probability of improvement.

Higher scores are better. The score of a diverged run is -inf, the worst; a mean that includes it is -inf, too.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

RESAMPLES = 2000

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


def interquartile_mean(tasks: Scores) -> float:
    """The mean of the middle half of all tasks' pooled scores, which should be normalized (arXiv 2108.13264).

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


def _quantiles(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the central `level` along the last axis, without interpolation, which -inf doesn't allow."""
    ends = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(values, ends, axis=-1, method="nearest")
    return low, high
