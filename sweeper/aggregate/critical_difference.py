"""Compares methods over several tasks by their ranks: Friedman's test and Nemenyi's critical difference."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeper.aggregate.comparisons import LEVEL
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.tasks import FAILED, Setting, Task, on_all

LEAST_TASKS = 5


@dataclass(frozen=True)
class RankComparison:
    """The mean ranks of methods over several tasks.

    Attributes:
        ranks: of each method, 1 the best, the best first.
        tasks: their number.
        p: of Friedman's test that all methods are equal.
        critical: mean ranks that differ by less aren't significantly different.
    """

    ranks: dict[str, float]
    tasks: int
    p: float
    critical: float

    @property
    def groups(self) -> list[list[str]]:
        """The largest groups of two methods or more whose mean ranks lie within the critical difference."""
        names, values = list(self.ranks), list(self.ranks.values())
        found: list[list[str]] = []
        last = 0
        for first in range(len(names)):
            end = max(k for k in range(len(names)) if values[k] - values[first] < self.critical) + 1
            if end - first > 1 and end > last:
                found.append(names[first:end])
            last = max(last, end)
        return found


def compare_ranks(scores: Sequence[Mapping[str, float]]) -> RankComparison:
    """Friedman's test, and Nemenyi's critical difference for all pairs.

    Args:
        scores: for each task the score of each method, higher is better; all tasks have the same methods, two or more.

    References: Demšar 2006, JMLR 7.
    """
    from scipy.stats import chi2, rankdata, studentized_range

    names = sorted(scores[0])
    k, n = len(names), len(scores)
    table = [rankdata([-task[name] for name in names]) for task in scores]
    means = {name: float(mean([float(row[j]) for row in table])) for j, name in enumerate(names)}
    ties = sum(count**3 - count for task in scores for count in Counter(task[name] for name in names).values())
    correction = 1 - ties / (n * k * (k * k - 1))
    square = 12 * n / (k * (k + 1)) * sum((rank - (k + 1) / 2) ** 2 for rank in means.values())
    p = float(chi2.sf(square / correction, k - 1)) if correction > 0 else 1.0
    critical = float(studentized_range.ppf(LEVEL, k, math.inf)) / math.sqrt(2) * math.sqrt(k * (k + 1) / (6 * n))
    return RankComparison(dict(sorted(means.items(), key=lambda item: item[1])), n, p, critical)


def compare_tasks(tasks: Sequence[Task]) -> RankComparison | None:
    """Of the optimizers that all tasks have, by what ranks them in each, see `Fit.estimates`; a diverged run ranks its
    optimizer last. None with fewer than `LEAST_TASKS` tasks, see `on_all`, or two optimizers."""
    used, names = on_all(tasks)
    if len(used) < LEAST_TASKS or len(names) < 2:
        return None
    scores = [{s.optimizer: _score(task, s) for s in task.compared} for task in used]
    return compare_ranks([{name: task[name] for name in names} for task in scores])


def _score(task: Task, setting: Setting) -> float:
    return FAILED if setting.diverged() else task.comparison.estimates.get(setting.optimizer, FAILED)
