"""How a grid of factors is extended: from the best cell's edge, in the grid's own steps."""

import itertools

import pytest

from sweeper.config.grid import compose_grid
from sweeper.config.widening import DIVERGED, best_place, beyond, confirming_seeds, extend
from sweeper.system.errors import BadInput

STEPS = [0.3162, 1.0, 3.162]
AXES = {"lr_factor": STEPS, "decay_factor": STEPS}


def scores(best, axes=AXES):
    return {place: 0.9 if place == best else 0.8 for place in itertools.product(*axes.values())}


@pytest.mark.parametrize(
    ("best", "lr", "decay"),
    [
        ((1.0, 1.0), STEPS, STEPS),
        ((3.162, 1.0), [*STEPS, 10.0], STEPS),
        ((1.0, 0.3162), STEPS, [0.1, *STEPS]),
        ((0.3162, 3.162), [0.1, *STEPS], [*STEPS, 10.0]),
    ],
)
def test_a_row_or_column_beyond_the_edge_on_which_the_best_cell_lies(best, lr, decay):
    assert extend(AXES, scores(best)) == {"lr_factor": lr, "decay_factor": decay}


def test_steps_of_half_a_decade_stay_so_however_often():
    values = list(STEPS)
    for side in (1, 1, 1, -1, -1, -1):
        values = sorted([*values, beyond(values, side)])
    assert values == [0.01, 0.03162, 0.1, 0.3162, 1.0, 3.162, 10.0, 31.62, 100.0]
    assert (beyond([0.5, 1.0, 2.0], 1), beyond([0.3, 1.0, 3.0], -1)) == (4.0, 0.1)
    assert beyond([1.0, 1.01, 1.02, 10.0], 1) > 10


def test_of_equal_cells_one_inside_is_the_best_so_that_ties_extend_nothing():
    assert best_place(AXES, dict.fromkeys(scores(None), 0.9)) == (1.0, 1.0)


def test_diverged_cells_are_the_worst():
    told = {place: DIVERGED if place[0] > 1 else 0.1 for place in scores(None)}
    assert best_place(AXES, told)[0] <= 1


def test_an_axis_of_one_value_is_not_extended():
    axes = {"lr_factor": [1.0], "decay_factor": STEPS}
    assert extend(axes, scores((1.0, 3.162), axes)) == {"lr_factor": [1.0], "decay_factor": [*STEPS, 10.0]}


def tune(*words):
    return compose_grid(["-m", "experiment=tune", "dataset=digits", *words])


def test_the_preset_has_two_axes_for_every_optimizer_and_a_seed_of_its_own():
    grid = tune()
    assert set(grid.widening.axes) == {"sgd", "adam", "adamw", "lion", "muon"}
    assert all(axes == AXES for axes in grid.widening.axes.values()) and not grid.widening.one_axis
    assert len(grid.cells) == 45 and {cell.config["seed"] for cell in grid.cells} == {101}
    assert {cell.config["dataset"]["validation_fraction"] for cell in grid.cells} == {0.1}
    assert confirming_seeds(grid.widening.seeds) == [102, 103]
    wider = grid.widening.cells("sgd", extend(AXES, scores((3.162, 1.0))), [101])
    ((new, overrides),) = wider[10.0, 1.0]
    assert new.config["optimizer"]["lr"] == 1.0 and "lr_factor=10.0" in overrides


def test_a_typed_factor_of_the_weight_decay_takes_the_place_of_the_presets():
    grid = tune("optimizer=sgd", "weight_decay_factor=0.3,1,3")
    assert grid.widening.axes == {"sgd": {"lr_factor": STEPS, "weight_decay_factor": [0.3, 1.0, 3.0]}}
    assert {cell.config["optimizer"]["weight_decay"] for cell in grid.cells} == {0.00015, 0.0005, 0.0015}
    with pytest.raises(BadInput, match="both are of the weight decay; give one of them"):
        tune("optimizer=sgd", "weight_decay_factor=0.3,1,3", "decay_factor=0.3,1,3")


def test_an_optimizer_without_weight_decay_has_one_axis():
    grid = tune("optimizer=sgd", "optimizer.weight_decay=0")
    assert (len(grid.cells), grid.widening.axes, grid.widening.one_axis) == (3, {"sgd": {"lr_factor": STEPS}}, ["sgd"])


@pytest.mark.parametrize("words", [["hydra.sweeper.extensions=0"], ["lr_factor=1", "decay_factor=1"]])
def test_a_grid_that_is_not_extended(words):
    assert tune("optimizer=sgd", *words).widening is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["noise=symmetric", "noise.rate=0.1,0.2"], "noise.rate: a tuning has one value of it; give one, or end the"),
        (
            ["optimizer.lr=0.1,0.2"],
            "optimizer.lr: a tuning has one value of it, which the grid multiplies by lr_factor; ",
        ),
        (["dataset.validation_fraction=0"], "a search chooses by validation images alone"),
        (["hydra.sweeper.extensions=-1"], "hydra.sweeper.extensions=-1: must be an integer of at least 0"),
    ],
)
def test_what_no_tuning_has_is_refused(given, words):
    with pytest.raises(BadInput, match=words):
        tune(*given)


def test_it_is_joined_with_nothing_else():
    with pytest.raises(BadInput, match="experiment=tune: a search is joined with nothing else; give it alone"):
        compose_grid(["-m", "experiment=tune,grid", "dataset=digits"])
