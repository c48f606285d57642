"""What a label says: the names that readers know, then what differs."""

import pytest
from made_runs import make_config

from sweeper.aggregate.labels import kind_of, noise_words, plural, set_apart_by, setting_labels, task_labels

NAMES = ("dataset", "model", "noise", "epochs", "batch_size", "schedule")


def task(**changes):
    """`changes` by dotted name, with `__` for the dot."""
    found = {name: make_config()[name] for name in NAMES}
    for name, value in changes.items():
        group, nested, option = name.partition("__")
        (found[group] if nested else found)[option or group] = value
    return found


@pytest.mark.parametrize(
    ("one", "other", "ends"),
    [
        ({}, {"epochs": 9}, [", 3 epochs", ", 9 epochs"]),
        ({}, {"batch_size": 8}, [", batch_size 64", ", batch_size 8"]),
        (
            {"decay_norms_and_biases": False},
            {"decay_norms_and_biases": True},
            [", decay_norms_and_biases false", ", decay_norms_and_biases true"],
        ),
        ({}, {"decay_norms_and_biases": True}, [", decay_norms_and_biases –", ", decay_norms_and_biases true"]),
        (
            {"schedule": {"name": "cosine", "_target_": "a.b", "final_fraction": 0.0}},
            {"schedule": {"name": "step", "_target_": "a.c", "gamma": 0.2}},
            [", schedule cosine", ", schedule step"],
        ),
        (
            {"schedule__warmup_fraction": 0.1},
            {},
            [", schedule.warmup_fraction 0.1", ", schedule.warmup_fraction 0.05"],
        ),
        ({}, {"model__width": 32}, [", model.width 16", ", model.width 32"]),
        ({}, {"model__width": 32, "model___target_": "a.b"}, [", model.width 16", ", model.width 32"]),
        ({}, {"model___target_": "a.b"}, [", model._target_ sweeper.models.cnn", ", model._target_ a.b"]),
        ({}, {"tag": "x", "batch_size": 8}, [", batch_size 64, tag –", ", batch_size 8, tag x"]),
        (
            {},
            {"dataset__flip": True, "dataset__crop_padding": 2},
            [", dataset.crop_padding –, dataset.flip false", ", dataset.crop_padding 2, dataset.flip true"],
        ),
    ],
)
def test_a_label_says_all_that_differs_and_no_more(one, other, ends):
    assert task_labels([task(**one), task(**other)]) == [f"digits, cnn, no label noise{end}" for end in ends]


def test_tasks_of_other_names_need_no_more():
    tasks = [task(), task(dataset__name="mnist", batch_size=128)]
    assert task_labels(tasks) == ["digits, cnn, no label noise", "mnist, cnn, no label noise"]
    assert set_apart_by(tasks) == []


def test_what_sets_tasks_apart_is_named():
    steps = {"name": "step", "milestones": [0.5], "gamma": 0.2}
    assert set_apart_by([task(), task(batch_size=8), task(schedule=steps)]) == ["batch_size", "schedule"]


def test_noise_in_words():
    assert noise_words({"name": "none", "kind": "none", "rate": 0.0}) == "no label noise"
    assert noise_words({"name": "pair", "kind": "pair", "rate": 0.2}) == "20 % pair label noise"
    assert noise_words({"name": "human", "kind": "human", "rate": 0.0}) == "human label noise"


def test_settings_are_named_by_the_options_that_differ():
    configs = [{"optimizer": {"lr": lr, "momentum": 0.9}} for lr in (0.1, 0.2)]
    assert setting_labels(["sgd", "sgd"], configs) == ["sgd, lr 0.1", "sgd, lr 0.2"]
    assert setting_labels(["sgd", "adam"], configs) == ["sgd", "adam"]


def test_kinds_have_their_plurals():
    kinds = [kind_of(arms) for arms in ([], [None], ["a", "b"], ["a", None])]
    assert kinds == ["optimizer", "optimizer", "arm", "optimizer or arm"]
    assert list(map(plural, kinds[1:])) == ["optimizers", "arms", "optimizers or arms"]
