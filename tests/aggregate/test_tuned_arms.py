"""What is said of tuning where runs belong to arms."""

import pytest
from made_runs import make_run

from sweeper.aggregate.limits import describe_limits
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import describe_task
from sweeper.report.command import latest_tasks
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns, OwnRuns
from sweeper.runs.results import read_results


@pytest.fixture
def sweep(tmp_path):
    """`sweep(a="3 epochs", b=None)`: runs of arms of one optimizer, tuned there or not; their tasks and what is said of
    tuning, and the sweep's own."""

    def make(**tuned):
        arms = {}
        for k, (arm, words) in enumerate(tuned.items()):
            config = {"optimizer__lr": 0.1 * (k + 1)} | ({"tuned": words} if words else {})
            arms[arm] = [make_run(tmp_path, seed=seed, accuracy=0.8 + 0.02 * k, **config) for seed in (1, 2, 3)]
        runs = [run for same in arms.values() for run in same]
        words_of = {run: tuned[arm] for arm, same in arms.items() for run in same if tuned[arm]}
        asked = AskedRuns(runs, [arms], words_of)
        record_arms(tmp_path, asked)
        results = read_results([tmp_path]).runs
        tasks = group_tasks(results)
        sentences = [*(said for task in tasks for said in describe_task(task)), *describe_limits(tasks, results)]
        return tasks, [said for said in sentences if "uned" in said], OwnRuns.from_json(asked.to_json())

    return make


MAY = "another learning rate or weight decay may turn the order."


def test_one_arm_that_was_tuned_does_not_make_the_others_tuned(sweep):
    """Both are of one optimizer."""
    (task,), said, own = sweep(chosen="3 epochs", usual=None)
    assert task.noun == "arm" and task.tuned == "" and "tuned" not in task.label
    assert said == ["Only chosen was tuned, which favours it."]
    assert f"usual was run with one setting: {MAY}" in describe_limits([task], task.runs())
    assert latest_tasks([task], own) == [task]


def test_the_cards_of_a_sweep_are_its_arms_though_one_of_them_was_tuned(sweep, tmp_path):
    """A sweep of optimizers has asked for the same runs, too."""
    _, _, own = sweep(chosen="3 epochs", usual=None)
    record_arms(tmp_path, AskedRuns([file.parent for file in tmp_path.glob("*/*/run.json")]))
    tasks = group_tasks(read_results([tmp_path]).runs)
    assert len(tasks) > 1 and [task.noun for task in latest_tasks(tasks, own)] == ["arm"]


def test_arms_that_were_all_tuned_alike_are_called_so(sweep):
    (task,), said, own = sweep(a="3 epochs", b="3 epochs")
    assert task.tuned == "3 epochs" and task.label.endswith("tuned at 3 epochs")
    assert said == ["Each arm's setting was tuned at 3 epochs, chosen by validation images."]
    assert latest_tasks([task], own) == [task]


def test_arms_that_were_tuned_unlike_one_another_say_where(sweep):
    (task,), said, _ = sweep(cosine="3 epochs", constant="3 epochs on another recipe", step="3 epochs")
    assert task.tuned == ""
    assert said == ["Tuned unlike one another: constant at 3 epochs on another recipe; cosine and step at 3 epochs."]
