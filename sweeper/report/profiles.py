"""Performance profiles over tasks by time-to-target, as AlgoPerf defines them (arXiv 2306.07179).

Time is counted in steps. A target that was not reached has an infinite time and stays in every count. This differs from
AlgoPerf, which counts seconds on one kind of machine, and to a target on validation images.
"""

import math
import statistics
from collections.abc import Sequence

import numpy as np

LARGEST_RATIO = 4.0  # r_max, up to which AlgoPerf integrates a profile; a larger ratio counts as not solved

Times = Sequence[Sequence[float]]  # (methods, tasks)


def time_to_target(seeds: Sequence[float]) -> float:
    """A method's time on a task: the median over its seeds, in the same unit.

    AlgoPerf takes the median over five studies, each of which is the fastest of its tuning trials, or a single run
    without tuning; a seed here is such a study. The time is infinite unless more than half of the seeds reached the
    target.

    Args:
        seeds: the time of each seed, at least one; `inf` if it never reached the target or diverged, even afterwards.
    """
    return statistics.median(seeds)


def performance_ratios(times: Times) -> np.ndarray:
    """Each method's time divided by the fastest method's, for each task: (methods, tasks), at least 1.

    If no method reached the target, all ratios are infinite.
    """
    values = np.array(times, dtype=float)
    fastest = values.min(axis=0)
    reached = np.isfinite(values)
    return np.where(reached, values / np.where(np.isfinite(fastest), fastest, 1.0), math.inf)


def performance_profile(ratios: Sequence[float]) -> tuple[list[float], list[float]]:
    """ρ(τ), the share of tasks that a method solves in at most τ times the fastest method's time, from 1 to
    `LARGEST_RATIO`.

    Args:
        ratios: one method's ratios, one per task, at least one.

    Returns:
        The values τ at which ρ steps, with both ends, and the value of ρ from each of them on.
    """
    steps = sorted({1.0, LARGEST_RATIO, *(float(r) for r in ratios if r <= LARGEST_RATIO)})
    return steps, [sum(r <= tau for r in ratios) / len(ratios) for tau in steps]


def profile_score(ratios: Sequence[float]) -> float:
    """AlgoPerf's benchmark score: the profile's integral from 1 to `LARGEST_RATIO`, divided by `LARGEST_RATIO` - 1.

    It is 1 for a method that is fastest on every task, and 0 for one that solved none within that times the fastest
    time.
    """
    return sum(max(0.0, LARGEST_RATIO - r) for r in ratios) / (LARGEST_RATIO - 1) / len(ratios)
