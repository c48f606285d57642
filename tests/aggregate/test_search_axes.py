"""The axes of a search's grid are found from its trials' values."""

import itertools

import pytest

from sweeper.aggregate.search_axes import PRODUCT, edges, followers, on_axes
from sweeper.config.grid import compose_grid

STEPS = ("0.3162", "1.0", "3.162")


def trials(optimizer):
    grid = compose_grid(
        ["-m", f"optimizer={optimizer}", f"lr_factor={','.join(STEPS)}", f"decay_factor={','.join(STEPS)}"]
    )
    return [cell.config["optimizer"] for cell in grid.cells]


@pytest.mark.parametrize(
    ("optimizer", "axis"), [("sgd", PRODUCT), ("adamw", PRODUCT), ("muon", PRODUCT), ("adam", "weight_decay")]
)
def test_the_grid_of_factors_is_a_grid_on_them(optimizer, axis):
    placed = on_axes([{name: t[name] for name in t if "lr" in name or "decay" in name} for t in trials(optimizer)])
    assert {name for trial in placed for name in trial} == {"lr", axis}
    values = [sorted({trial[name] for trial in placed}) for name in ("lr", axis)]
    assert [len(own) for own in values] == [3, 3]
    assert {(t["lr"], t[axis]) for t in placed} == set(itertools.product(*values))
    inside = [words for trial, words in zip(placed, edges(trials(optimizer)), strict=True) if not words]
    assert len(inside) == 1


def test_a_rate_that_moves_by_itself_is_an_axis():
    assert followers([{"lr": 1.0, "adamw_lr": 0.1}, {"lr": 2.0, "adamw_lr": 0.2}]) == {"adamw_lr"}
    assert not followers([{"lr": 1.0, "adamw_lr": 0.1}, {"lr": 2.0, "adamw_lr": 0.1}])
    assert not followers([{"lr": 1.0, "momentum": 0.1}, {"lr": 2.0, "momentum": 0.2}])


def test_the_ends_of_an_axis_are_told_and_what_is_no_number_has_none():
    found = edges([{"lr": lr, "betas": [0.9, lr], "nesterov": True} for lr in (0.1, 0.2, 0.3)])
    assert found == [{"lr": "lowest"}, {}, {"lr": "highest"}]
    assert edges([{"lr": 0.1}]) == [{}]
