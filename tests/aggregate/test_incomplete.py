"""Where one optimizer alone completed, the verdict tells what became of the others."""

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.sweep_answers import answers_of_sweep
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import answer_task, describe_task, headline_task
from sweeper.runs.layout import LOCK_FILE
from sweeper.runs.results import read_results
from sweeper.system.lock import Lock


def _beside_sgd(folder, **ends):
    """The one task of sgd, which completed, and others with the statuses of their runs."""
    for name, statuses in (ends | {"sgd": ["completed"]}).items():
        for seed, status in enumerate(statuses):
            make_run(folder, status, optimizer=name, seed=seed)
    (task,) = group_tasks(read_results([folder]).runs)
    return task


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({"lion": ["diverged"]}, "lion diverged in its one run"),
        ({"lion": ["diverged"] * 3}, "lion diverged in 3 of 3 runs"),
        ({"lion": ["failed"] * 3}, "lion failed in 3 of 3 runs"),
        ({"lion": ["failed", "diverged", "failed"]}, "lion failed in 2 and diverged in 1 of 3 runs"),
        ({"lion": ["diverged", "interrupted"]}, "lion diverged in 1 and did not finish in 1 of 2 runs"),
        ({"lion": ["diverged"] * 3, "adam": ["diverged"] * 3}, "adam and lion diverged in 3 of 3 runs each"),
        ({"lion": ["failed"], "adam": ["failed"]}, "adam and lion failed in one run each"),
        ({"lion": ["failed"], "adam": ["diverged"] * 2}, "adam diverged in 2 of 2 runs; lion failed in its one run"),
        ({name: ["failed"] * 2 for name in "abcdef"}, "a, b, c, d and 2 more failed in 2 of 2 runs each"),
    ],
)
def test_one_that_completed_beside_others_that_did_not_is_told_with_what_became_of_them(tmp_path, ends, said):
    task = _beside_sgd(tmp_path, **ends)
    assert describe_task(task) == [
        f"Only sgd completed, with 90.00 % (n = 1); {said}.",
        "No other completed a run, so nothing can be compared.",
    ]
    assert answers_of_sweep([task]) == [headline_task(task)] == [answer_task(task)]


def test_one_that_still_trains_is_not_lost(tmp_path):
    make_run(tmp_path, optimizer="sgd")
    with Lock(make_run(tmp_path, "running", optimizer="lion") / LOCK_FILE):
        (task,) = group_tasks(read_results([tmp_path]).runs)
    assert answer_task(task) == "Only sgd completed, with 90.00 % (n = 1); lion did not finish yet in its one run."


def test_what_diverged_of_the_only_one_that_completed_is_told_too(tmp_path):
    _beside_sgd(tmp_path, lion=["failed"] * 2)
    make_run(tmp_path, "diverged", optimizer="sgd", seed=7)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    told = "Only sgd completed, with 90.00 % (n = 1); it diverged in 1 of 2 finished runs; lion failed in 2 of 2 runs."
    assert answer_task(task) == told


def test_settings_of_the_only_one_that_completed_are_no_verdict_either(tmp_path):
    _beside_sgd(tmp_path, lion=["diverged"] * 3)
    make_run(tmp_path, optimizer="sgd", optimizer__lr=9.0)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    none = "no verdict between its 2 settings: that would be a choice on test images"
    assert answer_task(task) == f"Only sgd completed, and there is {none}; lion diverged in 3 of 3 runs."


def test_the_best_setting_by_validation_of_the_only_one_that_completed_is_named(tmp_path):
    for rate in (0.1, 0.3):
        run = make_run(tmp_path, optimizer="sgd", optimizer__lr=rate)
        change_record(run, result__final_val_accuracy=rate)
    make_run(tmp_path, "diverged", optimizer="lion")
    (task,) = group_tasks(read_results([tmp_path]).runs)
    lost = "with 90.00 % (n = 1); lion diverged in its one run."
    assert answer_task(task) == f"Only sgd completed, by lr 0.3 {lost}"
    assert answers_of_sweep([task]) == [
        "Best by validation accuracy: sgd, lr 0.3 with 30.00 % (n = 1); lion diverged in its one run."
    ]
