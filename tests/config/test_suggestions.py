"""What other programs take is refused with the override to type, and that override is one."""

import doctest

import pytest

from sweeper.config import suggestions
from sweeper.config.grid import compose_grid
from sweeper.config.schema import Config, DatasetConfig
from sweeper.config.suggestions import NAMES, option, without_dashes, without_spaces


def test_the_examples_hold():
    assert doctest.testmod(suggestions).failed == 0


def test_every_name_of_the_table_means_an_option_that_there_is():
    known = {*Config.__dataclass_fields__, "hydra/launcher", "noise.rate"}
    known |= {f"hydra.launcher.{name}" for name in ("n_jobs", "lanes", "partition")}
    known |= {f"dataset.{name}" for name in DatasetConfig.__dataclass_fields__}
    optimizers = {f"optimizer.{name}" for name in ("lr", "weight_decay", "momentum", "betas", "eps", "nesterov")}
    assert set(NAMES.values()) <= known | optimizers
    config = compose_grid(["dataset=digits", "optimizer=sgd"]).cells[0].config
    assert {"lr", "weight_decay", "momentum"} <= set(config["optimizer"])


@pytest.mark.parametrize("key", ["epoch", "sede", "optimzer", "outptus"])
def test_a_misspelt_option_without_a_group_is_left_to_the_nearest_name(key):
    assert option(key, ["epochs", "seed", "optimizer", "outputs", "optimizer.lr", "dataset.epochs"]) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("optimizer=sgd, adam epochs=3", ("optimizer=sgd, adam", "-m optimizer=sgd,adam")),
        ("optimizer=sgd, adam, lion x", ("optimizer=sgd, adam, lion", "-m optimizer=sgd,adam,lion")),
        ("optimizer adam", ("optimizer adam", "optimizer=adam")),
        ("optimizer =adam seed=1", ("optimizer =adam", "optimizer=adam")),
        ("lr 0.1 0.01 epochs 3", ("lr 0.1 0.01", "-m optimizer.lr=0.1,0.01")),
        ("seed=1, epochs", None),
        ("optimizer", None),
        ("= adam", None),
        ("sede 1", None),
    ],
)
def test_words_that_a_space_has_parted_are_joined(typed, meant):
    assert without_spaces(typed.split(), 0) == meant


def test_the_option_is_found_from_any_of_its_words():
    words = ["seed=1", "optimizer", "=", "adam", ",", "sgd", "epochs=3"]
    told = ("optimizer = adam , sgd", "-m optimizer=adam,sgd")
    assert {without_spaces(words, k) for k in range(1, 6)} == {told}


@pytest.mark.parametrize("words", [["--arm", "a: seed=1"], ["--arms", "x"], ["--nope", "1"], ["-m"], ["--multirun"]])
def test_what_is_no_option_with_dashes_is_left_to_the_parser(words):
    assert without_dashes(words) is None
