"""What a study's verdict owes to the pooled deviation: the part of its page that tells it."""

import itertools

from scipy.stats import tukey_hsd

from sweeper.aggregate.comparisons import LEVEL
from sweeper.aggregate.tasks import Task


def describe_own_scatter(task: Task) -> str:
    """Which pairs are separated otherwise where each optimizer has its own deviation, by the simultaneous intervals of
    Games and Howell (1976, J. Educ. Stat. 1, 113-125). They know nothing of the seeds.

    Returns:
        "" where runs diverged, where an optimizer has a single seed, and where one has no scatter.
    """
    scores = {setting.optimizer: list(setting.final().values()) for setting in task.compared}
    diverged = any(setting.diverged() for setting in task.compared)
    if diverged or len(scores) < 2 or any(len(set(values)) < 2 for values in scores.values()):
        return ""
    interval = tukey_hsd(*scores.values(), equal_var=False).confidence_interval(LEVEL)
    own = {
        frozenset((a, b))
        for (i, a), (j, b) in itertools.combinations(enumerate(scores), 2)
        if interval.low[i, j] > 0 or interval.high[i, j] < 0
    }
    pooled = {frozenset((d.a, d.b)): f"{d.a} and {d.b}" for d in task.comparison.differences}
    apart = {frozenset((d.a, d.b)) for d in task.comparison.differences if d.excludes_zero}
    lost, new = ([words for pair, words in pooled.items() if pair in only] for only in (apart - own, own - apart))
    said = [f"no longer separated: {', '.join(lost)}"] * bool(lost) + [f"separated, too: {', '.join(new)}"] * bool(new)
    changed = "; ".join(said) or "the same pairs are separated"
    return f"With each optimizer's own scatter instead of the pooled one (Games–Howell's intervals): {changed}."
