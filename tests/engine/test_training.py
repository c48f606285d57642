"""What the loop works with is built from a run's configuration, and fits together."""

import pytest
from networks import CPU
from torch import nn

from sweeper.datasets.data import load_run_data
from sweeper.engine.devices import Device
from sweeper.engine.training import build_training
from tests.engine.test_loop import configure


def test_the_parts_of_a_run_fit_together():
    config = configure("model=cnn", "optimizer=sgd", "batch_size=64", "epochs=3", "dataset.validation_fraction=0.1")
    parts = build_training(config, load_run_data(config), CPU)
    assert parts.sizes == [64, 64, 64, 64, 14] and parts.run_step == parts.step.run and parts.tier == "eager"
    assert parts.step.model is parts.model and parts.step.forward is parts.model and parts.model.training
    assert parts.optimizer is parts.step.optimizer is parts.schedule.optimizer
    assert set(parts.evaluations) == {"test", "val"}
    assert all(evaluation.model is parts.model for evaluation in parts.evaluations.values())
    assert list(parts.stateful) == ["model", "optimizer", "schedule", "meter", "attributes"]


@pytest.mark.parametrize("compiling", [False, True])
def test_step_and_evaluation_get_the_forward_passes_of_their_modes(compiling, monkeypatch):
    config = configure("model=cnn", "optimizer=sgd")
    training, evaluation = nn.Identity(), nn.Identity()
    monkeypatch.setattr("sweeper.engine.training.forward_passes", lambda *_: (training, evaluation))
    device = Device(kind="cpu", name="", precision="fp32", threads=1, compile=compiling, why="")
    parts = build_training(config, load_run_data(config), device)
    assert (parts.step.forward is training) == (not compiling)
    assert parts.evaluations["test"].model is evaluation and parts.step.model is parts.model
