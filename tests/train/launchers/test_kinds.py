"""Runs of a kind differ in nothing that changes the time of an epoch."""

import pytest

from sweeper.config.grid import compose_grid
from sweeper.train.launchers.kinds import kind_of_work


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
