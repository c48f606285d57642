"""Which runs are compared with which, and how one setting of several is chosen."""

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.limits import describe_limits
from sweeper.aggregate.tasks import group_tasks, task_title
from sweeper.aggregate.verdict import describe_task
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.runs.results import read_results


@pytest.fixture
def tasks(tmp_path):
    """`tasks()`: those of the runs made in tmp_path."""
    return lambda: group_tasks(read_results([tmp_path]).runs)


def test_seeds_are_one_setting_and_optimizers_one_task(tmp_path, tasks):
    for optimizer in ("sgd", "adam"):
        for seed in (1, 2, 3):
            make_run(tmp_path, optimizer=optimizer, seed=seed)
    (task,) = tasks()
    assert task.label == "digits, cnn, no label noise"
    assert [(s.label, len(s.runs)) for s in task.settings] == [("adam", 3), ("sgd", 3)]


def test_runs_of_another_length_batch_noise_or_data_are_another_task(tmp_path, tasks):
    noise = {"name": "pair", "kind": "pair", "rate": 0.2, "seed": 0}
    make_run(tmp_path)
    make_run(tmp_path, epochs=30)
    make_run(tmp_path, batch_size=128)
    make_run(tmp_path, noise=noise)
    make_run(tmp_path / "elsewhere", environment={"data_digest": "e" * 64})
    labels = [task.label for task in tasks()]
    assert len(set(labels)) == len(labels) == 5
    assert any("30 epochs" in label for label in labels)
    assert any("batch_size 128" in label for label in labels)
    assert any("eeeeeeee" in label for label in labels)
    assert labels[-1] == "digits, cnn, 20 % pair label noise, 3 epochs"


def test_precisions_asked_for_by_name_are_tasks_of_their_own(tmp_path, tasks):
    """Whatever rule named their runs. What `auto` has chosen sets no task apart: the page says that they are mixed."""
    for k, precision in enumerate(("bf16", "fp32")):
        make_run(tmp_path, seed=k, environment={"precision": precision})
        make_run(tmp_path, seed=k, device__precision=precision, environment={"precision": precision})
    older = make_run(tmp_path / "older", seed=5)
    change_record(older, identity_version=1, config__device__precision="fp32")
    assert [(task.label, len(task.runs())) for task in tasks()] == [
        ("digits, cnn, no label noise, device.precision auto", 2),
        ("digits, cnn, no label noise, device.precision bf16", 1),
        ("digits, cnn, no label noise, device.precision fp32", 2),
    ]


def test_a_task_is_named_by_no_more_than_sets_it_apart(tmp_path, tasks):
    """Without wrong labels it doesn't matter to a reader how there could have been some."""
    make_run(tmp_path, epochs=1)
    make_run(tmp_path, noise={"name": "symmetric", "kind": "symmetric", "rate": 0.0, "seed": 0})
    assert [task.label for task in tasks()] == [
        "digits, cnn, no label noise, 1 epoch",
        "digits, cnn, no label noise, 3 epochs",
    ]
    make_run(tmp_path)
    labels = [task.label for task in tasks()]
    assert len(set(labels)) == 3 and "digits, cnn, no label noise, 3 epochs, noise.kind none" in labels


def test_a_run_that_failed_before_its_data_was_read_is_of_the_same_task(tmp_path, tasks):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, "failed", seed=2, environment={"data_digest": None})
    (task,) = tasks()
    assert len(task.settings[0].runs) == 2


def test_a_title_has_the_length_of_training_once(tmp_path, tasks):
    make_run(tmp_path, epochs=3)
    (task,) = tasks()
    assert task_title(task) == f"{task.label}, 3 epochs"
    make_run(tmp_path, epochs=1)
    assert [task_title(task) for task in tasks()] == [task.label for task in tasks()]
    assert tasks()[0].label.endswith(", 1 epoch")


def test_settings_are_labelled_by_what_differs(tmp_path, tasks):
    for lr in (0.1, 0.01):
        make_run(tmp_path, optimizer__lr=lr)
    make_run(tmp_path, optimizer="adam")
    assert [s.label for s in tasks()[0].settings] == ["adam", "sgd, lr 0.01", "sgd, lr 0.1"]


def test_without_validation_the_choice_is_by_test_and_said_so(tmp_path, tasks):
    make_run(tmp_path, accuracy=0.8, optimizer__lr=0.1)
    make_run(tmp_path, accuracy=0.9, optimizer__lr=0.01)
    make_run(tmp_path, optimizer="adam", accuracy=0.85)
    (task,) = tasks()
    assert task.chosen_by == "test"
    assert [s.label for s in task.compared] == ["sgd, lr 0.01", "adam"]


def test_validation_images_choose_where_there_are_any(tmp_path, tasks):
    """The setting of lower test accuracy, since its validation accuracy is higher."""
    for lr, accuracy, validation in ((0.1, 0.8, 0.9), (0.01, 0.9, 0.7)):
        run = make_run(tmp_path, accuracy=accuracy, optimizer__lr=lr)
        change_record(run, result__final_val_accuracy=validation, result__best_val_accuracy=1 - validation)
    (task,) = tasks()
    assert task.chosen_by == "validation" and task.compared[0].label == "sgd, lr 0.1"


def test_a_setting_that_diverged_is_chosen_last(tmp_path, tasks):
    make_run(tmp_path, accuracy=0.95, seed=1, optimizer__lr=0.1)
    make_run(tmp_path, "diverged", seed=2, optimizer__lr=0.1)
    make_run(tmp_path, accuracy=0.5, seed=1, optimizer__lr=0.01)
    assert tasks()[0].compared[0].label == "sgd, lr 0.01"


def test_a_diverged_run_is_in_no_mean_and_its_optimizer_is_better_than_none(tmp_path, tasks):
    for seed in (1, 2, 3, 4):
        make_run(
            tmp_path, "diverged" if seed == 4 else "completed", accuracy=0.95 + seed / 1e4, seed=seed, optimizer="lion"
        )
        make_run(tmp_path, accuracy=0.5 + seed**2 / 1e4, seed=seed)
    (task,) = tasks()
    assert [s.optimizer for s in task.compared] == ["sgd", "lion"]
    assert task.comparison.differences[0].low > 0 and task.comparison.differences[0].a == "lion"
    assert task.comparison.order.ranks == {"sgd": (1, 2), "lion": (1, 2)}
    lion = task.compared[1]
    assert lion.row["n"] == 3 and lion.row["final_test_accuracy_mean"] == pytest.approx(0.9502)
    assert task.comparison.differences[0].n == 3


def test_who_only_diverged_stands_last_and_is_compared_with_none(tmp_path, tasks):
    for seed in (1, 2):
        make_run(tmp_path, "diverged", seed=seed, optimizer="lion")
        make_run(tmp_path, seed=seed)
    (task,) = tasks()
    assert [s.optimizer for s in task.compared] == ["sgd", "lion"]
    assert task.comparison.methods == ("sgd",) and task.comparison.diverged == {"lion": 2}


def test_a_pair_counts_its_common_seeds(tmp_path, tasks):
    for seed in (1, 2, 3):
        make_run(tmp_path, seed=seed, accuracy=0.9)
    for seed in (2, 3, 4):
        make_run(tmp_path, seed=seed, accuracy=0.8, optimizer="adam")
    (pair,) = tasks()[0].comparison.differences
    assert (pair.a, pair.n) == ("sgd", 2) and pair.difference == pytest.approx(0.1)


def test_unfinished_and_failed_runs_are_in_no_comparison(tmp_path, tasks):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, "failed", seed=2)
    make_run(tmp_path, "running", seed=3)
    (task,) = tasks()
    assert task.compared[0].scores() == {1: 0.9}


def test_a_target_counts_if_all_that_are_compared_had_it(tmp_path, tasks):
    make_run(tmp_path, target_accuracy=0.9)
    assert tasks()[0].target() == 0.9
    make_run(tmp_path, optimizer="adam", target_accuracy=0.8)
    assert tasks()[0].target() is None


def test_runs_of_the_old_recipe_are_in_no_mean_or_task_with_new_ones(tmp_path, tasks):
    """Records from before the option, and those in which it was false, beside those of the default of today."""
    for recipe, accuracy in (
        ({}, 0.7),
        ({"decay_norms_and_biases": False}, 0.8),
        ({"decay_norms_and_biases": True}, 0.9),
    ):
        for optimizer in ("sgd", "adam"):
            make_run(tmp_path, accuracy=accuracy, optimizer=optimizer, **recipe)
    labels = {task.label: task for task in tasks()}
    words = "digits, cnn, no label noise, decay_norms_and_biases"
    assert sorted(labels) == [f"{words} false", f"{words} true", f"{words} –"]
    for end, accuracy in (("–", 0.7), ("false", 0.8), ("true", 0.9)):
        task = labels[f"{words} {end}"]
        assert [s.row["final_test_accuracy_mean"] for s in task.compared] == [accuracy, accuracy]
        assert [(pair.n, pair.difference) for pair in task.comparison.differences] == [(1, 0.0)]


def test_a_schedule_free_optimizer_is_compared_with_those_of_the_tasks_schedule(tmp_path, tasks):
    own = {"name": "warmup", "warmup_fraction": 0.05}
    make_run(tmp_path, optimizer="schedule_free_sgd", schedule=own)
    make_run(tmp_path)
    (task,) = tasks()
    assert [setting.label for setting in task.settings] == ["schedule_free_sgd", "sgd"]
    assert len(task.comparison.differences) == 1 and task.config["schedule"]["name"] == "cosine"
    make_run(tmp_path, optimizer="schedule_free_sgd", schedule=own | {"warmup_fraction": 0.1})
    (task,) = tasks()
    labels = [f"schedule_free_sgd, schedule.warmup_fraction {fraction}" for fraction in (0.05, 0.1)]
    assert [setting.label for setting in task.settings] == [*labels, "sgd"]


def test_settings_that_validation_images_chose_are_compared_beside_those_that_they_did_not(tmp_path, tasks):
    """Such as the published ones: a tuning changes no verdict that was there before, and its own is a task apart."""
    for seed in (1, 2):
        for optimizer in ("sgd", "adam"):
            make_run(tmp_path, optimizer=optimizer, seed=seed, optimizer__lr=0.3, tuned="8 epochs", accuracy=0.8)
        make_run(tmp_path, seed=seed, accuracy=0.9)
        make_run(tmp_path, seed=seed, optimizer="lion", accuracy=0.7)
    untuned, task = tasks()
    assert (untuned.label, untuned.tuned) == ("digits, cnn, no label noise", "")
    assert [setting.label for setting in untuned.compared] == ["sgd", "lion"] and untuned.chosen_by == ""
    assert (task.label, task.tuned) == ("digits, cnn, no label noise, tuned at 8 epochs", "8 epochs")
    assert [setting.label for setting in task.compared] == ["adam", "sgd"] and task.chosen_by == ""
    (said,) = (line for line in describe_task(task) if "tuned" in line)
    assert said == (
        "Each optimizer's setting was tuned at 8 epochs, chosen by validation images; here it is trained for 3 epochs."
    )


def test_tunings_of_other_lengths_are_tasks_of_their_own(tmp_path, tasks):
    for lr, length in ((0.1, "3 epochs"), (0.3, "8 epochs")):
        make_run(tmp_path, optimizer__lr=lr, tuned=length)
    assert [task.tuned for task in tasks()] == ["3 epochs", "8 epochs"]


def test_what_no_record_says_of_a_run_a_sweep_of_tuned_settings_does(tmp_path, tasks):
    """Its setting may be the one that the tuning chose, and it was there before."""
    usual, other = make_run(tmp_path), make_run(tmp_path, optimizer="adam")
    chosen = make_run(tmp_path, optimizer="adam", optimizer__lr=0.3, tuned="3 epochs")
    before = dict.fromkeys((usual, other))
    record_arms(tmp_path, AskedRuns([usual, chosen], [], dict.fromkeys((usual, chosen), "3 epochs"), before))
    untuned, tuned = tasks()
    assert [setting.label for setting in tuned.compared] == ["adam", "sgd"] and tuned.tuned == "3 epochs"
    assert {setting.label for setting in untuned.compared} == {"adam", "sgd"} and untuned.tuned == ""
    assert not any("tuned" in said for said in describe_limits([untuned, tuned], untuned.runs()))


@pytest.mark.parametrize("first", [None, "3 epochs"], ids=["called tuned later", "trained tuned"])
def test_what_was_found_without_a_tuning_stays_whoever_is_called_tuned(tmp_path, tasks, first):
    """Here all settings are also those that a tuning chose; it is the same task as if none had been."""
    runs = [make_run(tmp_path, optimizer=optimizer, tuned=first) for optimizer in ("sgd", "adam")]
    said = {None: dict.fromkeys(runs, "3 epochs"), "3 epochs": {}}[first]
    record_arms(tmp_path, AskedRuns(runs, [], said, dict.fromkeys(runs, first)))
    make_run(tmp_path, optimizer="lion")
    untuned, tuned = tasks()
    assert [(task.label, task.tuned) for task in (untuned, tuned)] == [
        ("digits, cnn, no label noise", ""),
        ("digits, cnn, no label noise, tuned at 3 epochs", "3 epochs"),
    ]
    assert [len(task.compared) for task in (untuned, tuned)] == [3, 2]
    assert not any("was tuned" in line or "were tuned" in line for line in describe_limits([untuned], untuned.runs()))


def test_one_setting_that_two_tunings_chose_is_in_the_task_of_each(tmp_path, tasks):
    both, first = make_run(tmp_path, tuned="3 epochs"), make_run(tmp_path, optimizer="adam", tuned="3 epochs")
    last = make_run(tmp_path, optimizer="adam", optimizer__lr=0.3, tuned="8 epochs")
    asked = dict.fromkeys((both, last), "8 epochs")
    record_arms(tmp_path, AskedRuns([both, last], [], asked, before={both: "3 epochs"}))
    found = tasks()
    assert [task.tuned for task in found] == ["3 epochs", "8 epochs"]
    for task, other in zip(found, (first, last), strict=True):
        assert {run.path for run in task.runs()} == {str(both), str(other)}


def test_a_task_is_tuned_only_if_each_optimizer_is(tmp_path, tasks):
    make_run(tmp_path, tuned="3 epochs")
    make_run(tmp_path, optimizer="adam")
    (task,) = tasks()
    assert (task.label, task.tuned) == ("digits, cnn, no label noise", "")


def test_the_settings_of_a_search_are_in_the_order_of_validation(tmp_path, tasks):
    for optimizer, lr, validated, tested in (("sgd", 0.1, 0.7, 0.9), ("sgd", 0.2, 0.6, 0.9), ("adam", 0.1, 0.8, 0.5)):
        run = make_run(tmp_path, optimizer=optimizer, optimizer__lr=lr, accuracy=tested)
        change_record(run, result__final_val_accuracy=validated)
    (task,) = tasks()
    assert [setting.optimizer for setting in task.compared] == ["adam", "sgd"]
