"""Ranks over tasks, held against Demšar's tables and scipy."""

import random

import pytest
from made_runs import make_run
from scipy.stats import friedmanchisquare

from sweeper.aggregate.critical_difference import RankComparison, compare_ranks, compare_tasks
from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results


def drawn(methods, tasks, digits=6):
    numbers = random.Random(methods * tasks)
    return [{f"m{k}": round(numbers.random() + k / 10, digits) for k in range(methods)} for _ in range(tasks)]


@pytest.mark.parametrize(
    ("methods", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031), (9, 3.102), (10, 3.164)],
)
def test_the_critical_difference_is_demsars(methods, q):
    """Table 5a of Demšar 2006, and for 4 methods on 14 tasks his example's 1.25."""
    found = compare_ranks(drawn(methods, 14))
    assert found.critical == pytest.approx(q * (methods * (methods + 1) / (6 * 14)) ** 0.5, abs=1e-3)
    if methods == 4:
        assert found.critical == pytest.approx(1.25, abs=0.005)


@pytest.mark.parametrize("digits", [6, 1])
def test_friedmans_p_is_scipys_with_ties_too(digits):
    scores = drawn(5, 8, digits)
    columns = [[task[f"m{k}"] for task in scores] for k in range(5)]
    assert compare_ranks(scores).p == pytest.approx(friedmanchisquare(*columns).pvalue)


def test_equal_scores_have_equal_ranks_and_p_1():
    found = compare_ranks([{"a": 0.5, "b": 0.5}] * 5)
    assert found.ranks == {"a": 1.5, "b": 1.5} and found.p == 1.0 and found.groups == [["a", "b"]]


def test_groups_are_the_largest_within_the_critical_difference():
    ranks = {"a": 1.0, "b": 1.8, "c": 2.5, "d": 4.7, "e": 5.0}
    assert RankComparison(ranks, 9, 0.01, 1.0).groups == [["a", "b"], ["b", "c"], ["d", "e"]]
    assert RankComparison(ranks, 9, 0.01, 1.6).groups == [["a", "b", "c"], ["d", "e"]]
    assert RankComparison(ranks, 9, 0.01, 0.1).groups == []


def test_five_tasks_are_needed_and_who_diverged_is_last(tmp_path):
    for epochs in (3, 4, 5, 6, 7):
        assert compare_tasks(group_tasks(read_results([tmp_path], none_ok=True).runs)) is None
        make_run(tmp_path, accuracy=0.8, epochs=epochs)
        make_run(tmp_path, accuracy=0.9, optimizer="lion", epochs=epochs)
        make_run(tmp_path, "diverged", optimizer="lion", seed=2, epochs=epochs, error="x")
    found = compare_tasks(group_tasks(read_results([tmp_path]).runs))
    assert found.ranks == {"sgd": 1.0, "lion": 2.0} and found.tasks == 5


def test_a_task_with_seeds_that_differ_is_ranked_by_the_model(tmp_path):
    """Seed 3 is easy, and lion, the better one, lacks it."""
    for epochs in (3, 4, 5, 6, 7):
        for seed, accuracy in ((1, 0.8), (2, 0.81), (3, 0.95)):
            make_run(tmp_path, seed=seed, accuracy=accuracy, epochs=epochs)
            if seed < 3:
                make_run(tmp_path, seed=seed, accuracy=accuracy + 0.01, optimizer="lion", epochs=epochs)
    assert compare_tasks(group_tasks(read_results([tmp_path]).runs)).ranks == {"lion": 1.0, "sgd": 2.0}
