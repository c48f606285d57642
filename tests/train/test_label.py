"""A run of a sweep is named by what varies, never by a hash."""

import json
from dataclasses import replace

import pytest
from conftest import merged

from sweeper.config.grid import compose_grid
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns, arm_of_each
from sweeper.train.label import VARIES_VARIABLE, Labelled, label_rows, label_run, score_words, varies_in


@pytest.mark.parametrize(
    ("overrides", "labels"),
    [
        (["optimizer=sgd,lion", "seed=1,2"], ["sgd, seed 1", "sgd, seed 2", "lion, seed 1", "lion, seed 2"]),
        (["optimizer=sgd", "optimizer.lr=0.03,0.1"], ["lr 0.03", "lr 0.1"]),
        (["optimizer=sgd,adam", "lr_factor=1,3"], ["sgd, lr 0.1", "sgd, lr 0.3", "adam, lr 0.001", "adam, lr 0.003"]),
        (["noise=none,symmetric", "epochs=5,6"], [f"{n}, epochs {e}" for n in ("none", "symmetric") for e in (5, 6)]),
        (["noise=symmetric", "noise.rate=0.1,0.2"], ["noise.rate 0.1", "noise.rate 0.2"]),
        (["seed=3"], [""]),
        (["device.threads=1", "tag=a,b"], ["tag a", "tag b"]),
    ],
    ids=" ".join,
)
def test_a_label_has_what_varies(monkeypatch, overrides, labels):
    grid = compose_grid(merged("-m", "dataset=digits", *overrides))
    monkeypatch.setenv(VARIES_VARIABLE, json.dumps(varies_in(grid)))
    assert sorted(label_run(cell.config) for cell in grid.cells) == sorted(labels)


def test_a_run_of_an_arm_is_named_by_it_and_by_what_varies_in_it(monkeypatch, tmp_path):
    arms = ("--arm", "plain: optimizer=sgd", "--arm", "mine: optimizer=lion optimizer.lr=1e-4,3e-4")
    grid = compose_grid(["-m", "dataset=digits", f"outputs={tmp_path}", *arms, "seed=1,2"])
    config_of = {cell.directory: cell.config for cell in grid.cells}
    monkeypatch.setenv(VARIES_VARIABLE, json.dumps(varies_in(grid)))
    record_arms(tmp_path, AskedRuns(config_of, grid.comparisons))
    assert [label_run(config) for config in config_of.values()] == [
        f"{arm}, seed {seed}" for seed in (1, 2) for arm in ("plain", "mine, lr 0.0001", "mine, lr 0.0003")
    ]
    labelled = [Labelled(run, config, ()) for run, config in config_of.items()]
    assert [*label_rows(labelled, arm_of_each(grid.arms)).values()] == [  # beside a column of arms
        f"{lr}seed {seed}" for seed in (1, 2) for lr in ("", "lr 0.0001, ", "lr 0.0003, ")
    ]


def test_outside_of_a_sweep_there_is_none():
    (cell,) = compose_grid(["dataset=digits"]).cells
    assert label_run(cell.config) == ""


def test_every_axis_of_a_large_sweep_is_found():
    grid = compose_grid(["-m", "dataset=digits", "optimizer=sgd,adam", "seed=1,2"])
    many = [
        replace(cell, config={**cell.config, "seed": k, "epochs": 1 + k % 2}, directory=cell.directory / str(k))
        for k in range(100)
        for cell in grid.cells
    ]
    assert varies_in(replace(grid, cells=many)) == {"": ["optimizer", "epochs", "seed"]}


def test_a_tuning_is_named_by_its_factor_of_the_decay(monkeypatch):
    grid = compose_grid(["-m", "experiment=tune", "dataset=digits", "optimizer=muon", "lr_factor=1", "seed=101,102"])
    monkeypatch.setenv(VARIES_VARIABLE, json.dumps(varies_in(grid)))
    labels = {label_run(cell.config, grid.jobs[cell.number]) for cell in grid.cells}
    steps = ("0.3162", "1", "3.162")
    assert labels == {f"decay ×{factor}, seed {seed}" for factor in steps for seed in (101, 102)}


def test_without_its_factor_of_the_decay_a_tuning_is_named_by_the_value(monkeypatch):
    axes = ("optimizer=adamw", "lr_factor=1", "decay_factor=null", "weight_decay_factor=1,3", "seed=101")
    grid = compose_grid(["-m", "experiment=tune", "dataset=digits", *axes])
    monkeypatch.setenv(VARIES_VARIABLE, json.dumps(varies_in(grid)))
    decays = [cell.config["optimizer"]["weight_decay"] for cell in grid.cells]
    labels = [label_run(cell.config, grid.jobs[cell.number]) for cell in grid.cells]
    assert labels == [f"weight_decay {decay:.4g}" for decay in decays] and len(set(decays)) == 2


def test_a_run_is_judged_by_validation_where_images_are_held_out():
    assert score_words({"final_test_accuracy": 0.9, "final_val_accuracy": 0.912}) == "validation 91.20 %"
    assert score_words({"final_test_accuracy": 0.9, "final_val_accuracy": None}) == "test 90.00 %"
