"""Whatever determines a result sets tasks apart, but optimizer and seed."""

import pytest
from made_runs import make_run

from sweeper.aggregate.grouping import group_runs, plain
from sweeper.runs.results import read_results

OTHERS = {
    "schedule": {"schedule": {"name": "step", "gamma": 0.1}},
    "an option of the schedule": {"schedule__warmup_fraction": 0.5},
    "decay": {"decay_norms_and_biases": True},
    "tag": {"tag": "again"},
    "an option of the model": {"model__width": 64},
    "flips": {"dataset__flip": True},
    "images held out": {"dataset__validation_fraction": 0.1},
    "an option of tomorrow": {"label_smoothing": 0.1},
    "batch size": {"batch_size": 128},
    "noise": {"noise__name": "pair", "noise__kind": "pair", "noise__rate": 0.2},
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_another_recipe_is_another_task(tmp_path, change):
    make_run(tmp_path, optimizer="sgd")
    make_run(tmp_path, optimizer="lion", seed=2)
    make_run(tmp_path, optimizer="lion", seed=3, **change)
    tasks = group_runs(read_results([tmp_path]).runs)
    assert sorted(len(task.runs) for task in tasks) == [1, 2]
    assert len({task.label for task in tasks}) == 2


def test_where_it_ran_sets_nothing_apart(tmp_path):
    make_run(tmp_path, optimizer="sgd")
    make_run(tmp_path, optimizer="lion", device__kind="cuda", dataset__workers=4, environment={"device": "cuda"})
    assert len(group_runs(read_results([tmp_path]).runs)) == 1


def test_tasks_stand_in_the_order_of_their_length(tmp_path):
    for epochs in (100, 20, 3):
        make_run(tmp_path, epochs=epochs)
    assert [task.config["epochs"] for task in group_runs(read_results([tmp_path]).runs)] == [3, 20, 100]


def test_other_numbers_stand_in_the_order_of_their_size(tmp_path):
    for size, smoothing in ((1024, 0.1), (64, 1e-5), (128, 0.02)):
        make_run(tmp_path / "size", batch_size=size)
        make_run(tmp_path / "smoothing", label_smoothing=smoothing)
    for folder, words in (("size", "batch_size"), ("smoothing", "label_smoothing")):
        tasks = group_runs(read_results([tmp_path / folder]).runs)
        values = [float(task.label.split(f"{words} ")[1]) for task in tasks]
        assert values == sorted(values) and len(values) == 3


def test_a_configuration_has_no_line_breaks():
    assert plain({"a": ["b\nc", 1, None], "d": {"e": "\u202e"}}) == {"a": ["b c", 1, None], "d": {"e": " "}}
