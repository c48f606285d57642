"""A search: its options, trials, choice and edges."""

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.search import (
    at_edge,
    chosen_settings,
    is_done,
    is_pruned,
    searched_accuracy,
    searched_options,
    searched_values,
    searches,
    tried_settings,
)
from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results


@pytest.fixture
def task(tmp_path):
    """Three learning rates, the best in the middle; a fourth pruned, a fifth diverged, a sixth failed."""
    for lr, accuracy in ((0.03, 0.7), (0.1, 0.9), (0.3, 0.8)):
        change_record(make_run(tmp_path, optimizer__lr=lr), result__final_val_accuracy=accuracy)
    make_run(tmp_path, "pruned", optimizer__lr=1.0, error="pruned")
    make_run(tmp_path, "diverged", optimizer__lr=3.0, error="loss")
    make_run(tmp_path, "failed", optimizer__lr=9.0, error="disk")
    (task,) = group_tasks(read_results([tmp_path]).runs)
    return task


def test_what_was_searched_and_chosen(task):
    assert searches([task]) == [task] and searched_options(task) == ["lr"]
    (chosen,) = chosen_settings(task)
    assert searched_values(chosen, ["lr", "other"]) == {"lr": 0.1} and searched_accuracy(chosen) == 0.9
    assert [s.row["lr"] for s in tried_settings(task, "sgd")] == [0.03, 0.1, 0.3, 1.0, 3.0, 9.0]
    assert [is_done(s) for s in tried_settings(task, "sgd")] == [True] * 5 + [False]
    assert [is_pruned(s) for s in tried_settings(task, "sgd")] == [False] * 3 + [True, False, False]
    assert at_edge(task, chosen, ["lr"]) == {}


def test_an_edge_is_of_the_finished_trials(task):
    (highest,) = [s for s in task.settings if s.row["lr"] == 3.0]
    assert at_edge(task, highest, ["lr"]) == {"lr": "highest"}
