"""Runs of a kind differ in nothing that changes the time of an epoch."""

import pytest

from sweeper.config.grid import compose_grid
from sweeper.train.launchers.kinds import kind_of_work, runs_to_read


@pytest.mark.parametrize(
    ("override", "kinds"),
    [
        ("seed=1,2", 1),
        ("optimizer.lr=0.1,0.2", 1),
        ("epochs=5,6", 1),
        ("optimizer=sgd,adam", 2),
        ("batch_size=32,64", 2),
        ("model=mlp,cnn", 2),
        ("ema=null,0.9,0.99", 2),
        ("device.precision=fp32,bf16", 2),
    ],
)
def test_what_changes_the_time_of_an_epoch_is_a_kind(override, kinds):
    grid = compose_grid(["-m", "dataset=digits", override])
    assert len({kind_of_work(cell.config) for cell in grid.cells}) == kinds


@pytest.mark.parametrize(
    "axes", [("optimizer=sgd,adam,lion", "seed=range(1,61)"), ("seed=range(1,61)", "batch_size=32,64")]
)
def test_of_many_runs_all_kinds_are_known_without_composing_each(axes):
    cells = compose_grid(["-m", "dataset=digits", *axes]).cells
    read = runs_to_read(range(10, 10 + len(cells)))
    assert len(read) <= 96 < len(cells) and read[:8] == list(range(10, 18)) and read == sorted(set(read))
    assert {kind_of_work(cells[k - 10].config) for k in read} == {kind_of_work(cell.config) for cell in cells}


def test_of_few_runs_each_is_read():
    assert runs_to_read([3, 5, 9]) == [3, 5, 9]
