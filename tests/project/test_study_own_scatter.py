"""What each optimizer's own scatter changes, `docs/study/own_scatter.py`."""

import itertools
import re
import statistics

import pytest
from made_runs import make_run
from scipy.stats import studentized_range

from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results
from tests.project.test_study import STUDIES, load_module, load_publish

load_publish()
own_scatter = load_module(STUDIES / "own_scatter.py")
SAID = "With each optimizer's own scatter instead of the pooled one (Games–Howell's intervals): "


def task_of(folder, scores):
    for name, values in scores.items():
        for seed, accuracy in enumerate(values, 1):
            make_run(folder, optimizer=name, seed=seed, accuracy=accuracy)
    (task,) = group_tasks(read_results([folder]).runs)
    return task


def separated(scores):
    """By the formula of the paper."""
    found = set()
    for a, b in itertools.combinations(scores, 2):
        errors = [statistics.variance(scores[name]) / len(scores[name]) for name in (a, b)]
        df = sum(errors) ** 2 / sum(e**2 / (len(scores[n]) - 1) for e, n in zip(errors, (a, b), strict=True))
        bound = studentized_range.ppf(0.95, len(scores), df) * (sum(errors) / 2) ** 0.5
        if abs(statistics.mean(scores[a]) - statistics.mean(scores[b])) > bound:
            found.add(frozenset((a, b)))
    return found


STEADY = {"adam": (0.700, 0.701, 0.699, 0.7005, 0.6995), "lion": (0.800, 0.801, 0.799, 0.8, 0.8005)}
WIDE = {"sgd": (0.80, 0.87, 0.86, 0.93, 0.84)}


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (STEADY, "the same pairs are separated."),
        (STEADY | WIDE, "no longer separated: sgd and lion."),
        (
            STEADY | WIDE | {"muon": (0.7052, 0.7060, 0.7041, 0.7049, 0.7054)},
            "no longer separated: sgd and lion; separated, too: muon and adam.",
        ),
    ],
    ids=["alike", "lost", "new"],
)
def test_the_page_says_what_the_pooled_deviation_separates_otherwise(tmp_path, scores, said):
    task = task_of(tmp_path, scores)
    pooled = {frozenset((d.a, d.b)) for d in task.comparison.differences if d.excludes_zero}
    changed = pooled ^ separated(scores)
    assert own_scatter.describe_own_scatter(task) == SAID + said
    assert {frozenset(pair) for pair in re.findall(r"(\w+) and (\w+)", said)} == changed


def test_where_it_can_not_be_told_nothing_is_said(tmp_path):
    assert own_scatter.describe_own_scatter(task_of(tmp_path / "one", {"sgd": (0.8,), "adam": (0.7,)})) == ""
    assert own_scatter.describe_own_scatter(task_of(tmp_path / "flat", {"sgd": (0.8, 0.8), "adam": (0.7, 0.71)})) == ""
