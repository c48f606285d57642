"""An epoch's results are of that epoch, whatever the next one does to the tensors they were copied from."""

import pytest

from sweeper.datasets.data import load_run_data
from sweeper.engine.devices import choose_device
from sweeper.engine.pace import Pace
from sweeper.engine.results import EpochResults
from sweeper.engine.training import build_training
from tests.engine.test_loop import configure


@pytest.fixture
def parts():
    config = configure("batch_size=100", "noise=symmetric", "noise.rate=0.2")
    parts = build_training(config, load_run_data(config), choose_device(config["device"], threads=1))
    parts.order.draw(1, epoch=2)
    parts.meter.clock.start()
    for done in range(3):
        parts.bursts.run(2, done, most=1)
    parts.meter.clock.stop()
    for evaluation in parts.evaluations.values():
        evaluation.measure()
    return parts


def test_the_next_epoch_leaves_them_alone(parts):
    first = EpochResults(2, parts, Pace("cpu")).read(None)
    results = EpochResults(2, parts, Pace("cpu"))
    assert results.arrived()
    parts.meter.reset()
    parts.order.index.zero_()
    for evaluation in parts.evaluations.values():
        evaluation.loss.zero_()
        evaluation.correct.zero_()
    assert results.read(None) == first
    row, bad_step = first
    assert (row["epoch"], row["step"], bad_step) == (2, 6, None)
    assert row["train_seconds"] > 0 and row["test_loss"] > 0 and 0 < row["corrupted_train_accuracy"] < 1


@pytest.mark.parametrize(("step", "bound", "found"), [(1, None, 5), (0, 1e3, 4), (None, None, 6)])
def test_a_bad_step_is_counted_from_the_runs_first(step, bound, found, parts):
    if step is None:
        parts.evaluations["test"].loss.fill_(float("nan"))
    else:
        parts.meter.losses[step] = 1e4 if bound else float("inf")
    row, bad_step = EpochResults(2, parts, Pace("cpu")).read(bound)
    assert bad_step == found and ("test_loss" in row) == (step is None)
