"""What other programs take is refused with the override to type, and that override is one."""

import doctest

import pytest

from sweeper.config import suggestions
from sweeper.config.grid import compose_grid
from sweeper.config.schema import Config
from sweeper.config.suggestions import NAMES, integer, next_values, option, without_dashes


def test_the_examples_hold():
    assert doctest.testmod(suggestions).failed == 0


def test_every_name_of_the_table_means_an_option_that_there_is():
    known = {*Config.__dataclass_fields__, "hydra/launcher", "hydra.launcher.n_jobs", "dataset.workers", "dataset.root"}
    known |= {"noise.rate"}
    optimizers = {f"optimizer.{name}" for name in ("lr", "weight_decay", "momentum", "betas", "eps", "nesterov")}
    assert set(NAMES.values()) <= known | optimizers
    config = compose_grid(["dataset=digits", "optimizer=sgd"]).cells[0].config
    assert {"lr", "weight_decay", "momentum"} <= set(config["optimizer"])


@pytest.mark.parametrize("typed", ["1-3", "1..3", "1:3"])
def test_a_span_is_a_range_whose_end_is_excluded(typed):
    assert integer("seed", typed) == "; several are a sweep, -m 'seed=range(1,4)'"
    cells = compose_grid(["-m", "dataset=digits", "seed=range(1,4)"]).cells
    assert [cell.config["seed"] for cell in cells] == [1, 2, 3]


@pytest.mark.parametrize("typed", ["3-1", "1.5", "ten", "inf", "nan", "1e300", "-"])
def test_nothing_is_suggested_for_what_means_no_integer(typed):
    assert integer("epochs", typed) == ""


@pytest.mark.parametrize("key", ["epoch", "sede", "optimzer", "outptus"])
def test_a_misspelt_option_without_a_group_is_left_to_the_nearest_name(key):
    assert option(key, ["epochs", "seed", "optimizer", "outputs", "optimizer.lr", "dataset.epochs"]) is None


@pytest.mark.parametrize(
    ("text", "following", "meant"),
    [
        ("optimizer=sgd,", ["adam", "epochs=3"], "-m optimizer=sgd,adam"),
        ("optimizer=sgd,", ["adam,", "lion", "x"], "-m optimizer=sgd,adam,lion"),
        ("optimizer", ["adam"], "optimizer=adam"),
        ("seed=1,", ["epochs"], "seed=1"),
        ("optimizer", [], None),
        ("=", ["adam"], None),
    ],
)
def test_words_that_a_space_has_parted_are_joined(text, following, meant):
    assert next_values(text, following) == meant


@pytest.mark.parametrize("words", [["--arm", "a: seed=1"], ["--arms", "x"], ["--nope", "1"], ["-m"], ["--multirun"]])
def test_what_is_no_option_with_dashes_is_left_to_the_parser(words):
    assert without_dashes(words) is None
