"""A search's space: values as they are typed, within their intervals, and the usual ones as its first trial."""

import pytest

from sweeper.config.grid import compose_grid
from sweeper.config.overrides import parse_overrides
from sweeper.config.search_space import Dimension, check_space, read_dimension
from sweeper.system.errors import BadInput

SEARCH = ("-m", "experiment=search", "dataset=digits", "model=mlp")


def test_a_value_is_typed_within_its_interval_and_its_edge_is_told():
    factor = Dimension("lr_factor", "", 0.1, 10.0, log=True)
    assert [factor.typed(v) for v in (0.1, 0.123456, 9.99999)] == ["0.1", "0.1235", "10.0"]
    assert [factor.at_edge(v) for v in ("0.11", "1.0", "9.5")] == ["low", "", "high"]
    assert Dimension("optimizer.x", "", 1, 5, integer=True).typed(3) == "3"


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("lr_factor=tag(log, interval(0.1, 10))", {"low": 0.1, "high": 10, "log": True}),
        ("optimizer.steps=int(interval(1, 5))", {"low": 1, "high": 5, "integer": True}),
        ("optimizer.eps=1e-8,0.001", {"choices": ("1e-08", "0.001")}),
    ],
)
def test_an_interval_or_choices_are_a_dimension(text, dimension):
    (override,) = parse_overrides([text])
    name, _, asked = text.partition("=")
    assert read_dimension(override, {}) == Dimension(name, asked.replace(" ", ""), **dimension)


def test_a_choice_is_usual_by_its_value_and_not_by_its_spelling():
    betas = Dimension("optimizer.betas", "", choices=("[0.9,0.95]", "[0.90,0.999]"))
    assert betas.usual([0.9, 0.999]) == "[0.90,0.999]" and betas.usual([0.5, 0.5]) is None
    assert betas.ends() == betas.choices and betas.at_edge("[0.9,0.95]") == ""


@pytest.mark.parametrize(
    ("names", "words"),
    [((), "nothing to search over"), (("lr_factor", "optimizer.lr"), "optimizer.lr and lr_factor are both searched")],
)
def test_a_space_of_nothing_or_of_one_thing_twice_is_refused(names, words):
    with pytest.raises(BadInput, match=words):
        check_space({name: Dimension(name, "", 0.1, 1) for name in names})


def test_usual_values_are_those_without_the_search_and_none_if_one_lies_outside(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    fixed = ("optimizer=adamw", "weight_decay_factor=2", "optimizer.weight_decay=interval(0, 1)")
    for lr, first in (
        ("lr_factor=int(interval(1, 3))", "1"),
        ("lr_factor=interval(2, 3)", None),
    ):
        search = compose_grid([*SEARCH, *fixed, lr, "optimizer.betas=[0.9,0.95],[0.9,0.999]"]).search
        usual = search.usual["adamw"]
        assert usual.get("lr_factor") == first and len(usual) in (0, 3)
        if first:
            assert usual["optimizer.betas"] == "[0.9,0.999]"
            assert search.trial("adamw", usual)[0].directory == search.bases["adamw"].directory


def test_a_search_has_a_seed_that_no_comparison_has():
    assert {cell.config["seed"] for cell in compose_grid([*SEARCH, "optimizer=sgd"]).cells} == {101}
