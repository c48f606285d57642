"""An epoch is timed by the engine's own loop on parts of the data, on the CPU and on a pretended MPS."""

import dataclasses
import math
import time

import pytest
import torch
from conftest import TINY, merged
from pretended_mps import MPS, pretended_mps

from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine.build import build_model
from sweeper.engine.devices import Device, choose_device
from sweeper.engine.evaluate import Evaluation
from sweeper.engine.step import Step
from sweeper.plan import timing as timing_module
from sweeper.plan.timing import part_of, time_epochs, time_first, time_within

pytestmark = pytest.mark.slow


def prepare(*overrides):
    config = compose_grid(merged(*TINY, "model=mlp", *overrides)).cells[0].config
    return config, load_run_data(config), choose_device(config["device"], 1)


def test_a_part_has_the_first_images_of_each_split_and_their_noise():
    _, data, _ = prepare("noise=symmetric", "noise.rate=0.3", "dataset.validation_fraction=0.2")
    part = part_of(data, 100, 36)
    assert len(data.train.labels) == 240 and len(data.val.labels) == 60 and len(data.test.labels) == 359
    assert (len(part.train.labels), len(part.val.labels), len(part.test.labels)) == (100, 6, 36)
    assert torch.equal(part.train.labels, data.train.labels[:100]) and torch.equal(part.corrupted, data.corrupted[:100])
    assert part.digest == data.digest and part_of(data, 10**6, 10**6).train.images.shape == data.train.images.shape


def test_a_parts_timing_is_that_of_the_whole_in_proportion(monkeypatch):
    """With a clock of so much a step and so much an evaluated image, whatever was timed."""
    config, data, device = prepare("batch_size=30")
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    step, measure = Step.run, Evaluation.measure

    def run(self, size):
        now[0] += 0.01 * size
        step(self, size)

    def evaluate(self):
        now[0] += 0.002 * len(self.labels)
        measure(self)

    monkeypatch.setattr(Step, "run", run)
    monkeypatch.setattr(Evaluation, "measure", evaluate)
    for part in (data, part_of(data, 60, 100)):
        timing = time_epochs(config, part, device, epochs=3, whole=data)
        assert timing.train_seconds == pytest.approx(0.01 * 300)
        assert timing.other_seconds == pytest.approx(0.002 * 359)
        assert timing.part == len(part.train.labels) / 300 and timing.images == 300


def test_what_a_run_leaves_is_measured():
    config, data, device = prepare("optimizer=adam")
    first = time_first(config, data, device)
    timing = time_within(0.2, config, data, device, first)
    weights = sum(p.numel() * 4 for p in built(config, data).parameters())
    assert weights < timing.weights_bytes < 1.2 * weights + 4000
    assert timing.checkpoint_bytes > 3 * weights  # weights and two moments
    assert timing.epoch_seconds > 0 and timing.setup_seconds >= 0 and timing.memory_bytes > 10**7
    assert timing.image == (1, 8, 8) and timing.data == "scikit-learn's digits"


def built(config, data):
    return build_model(config["model"], data.image_shape, len(data.classes), 1)


def test_little_time_times_a_step_and_much_time_whole_epochs():
    config, data, device = prepare("batch_size=30")
    first = time_first(config, data, device)
    slow = dataclasses.replace(first, train_seconds=1e6)
    assert time_within(1e-6, config, data, device, slow).part == 0.1
    fast = dataclasses.replace(first, train_seconds=1e-3, other_seconds=0.0)
    assert time_within(0.005, config, data, device, fast).part == 1


def test_whole_epochs_are_timed_if_a_part_shows_that_they_fit_after_all(monkeypatch):
    """As on a GPU, where an epoch by the first try's small steps would take long. Set-up: what the last run needs is of
    each run; what the one before it, the first with the batch size asked for, needed more, of the first of its kind."""
    config, data, device = prepare("batch_size=30")
    first = dataclasses.replace(time_first(config, data, device), train_seconds=10.0, setup_seconds=9.0)
    asked = []

    def timed(config, data, device, epochs, whole, stop=False):
        asked.append((len(data.train.labels), epochs))
        setup = 5.0 if len(asked) == 1 else 1.0
        return dataclasses.replace(first, train_seconds=0.9, other_seconds=0.1, setup_seconds=setup)

    monkeypatch.setattr(timing_module, "time_epochs", timed)
    timing = time_within(6.0, config, data, device, first)
    assert asked == [(90, 2), (300, 6)]
    assert (timing.setup_seconds, timing.first_seconds) == (1.0, 4.0)
    asked.clear()
    timing = time_within(2.0, config, data, device, first)
    assert asked == [(30, 2), (30, 2)] and (timing.setup_seconds, timing.first_seconds) == (1.0, 4.0)


def test_where_a_step_takes_longer_than_the_set_up_none_is_made_for_its_sake(monkeypatch):
    config, data, device = prepare("batch_size=30")
    first = dataclasses.replace(time_first(config, data, device), train_seconds=60.0, setup_seconds=5.0)
    asked = []

    def timed(config, data, device, epochs, whole, stop=False):
        asked.append((len(data.train.labels), epochs))
        return dataclasses.replace(first, setup_seconds=4.0)

    monkeypatch.setattr(timing_module, "time_epochs", timed)
    timing = time_within(2.0, config, data, device, first)
    assert asked == [(30, 2)] and (timing.setup_seconds, timing.first_seconds) == (4.0, 1.0)


def test_a_run_that_diverges_is_timed_all_the_same():
    config, data, device = prepare("optimizer.lr=1e30", "schedule=constant")
    timing = time_epochs(config, data, device, epochs=3, whole=data)
    assert math.isfinite(timing.epoch_seconds) and timing.train_seconds > 0


def test_mps_is_timed_with_what_it_can_do(monkeypatch):
    """On the pretended device: it gets no graph, no peak of memory is asked for, and the loop runs through."""
    config, data, device = prepare("dataset.train_limit=30", "dataset.test_limit=20", "batch_size=8")
    monkeypatch.setattr(Device, "torch_device", property(lambda self: MPS))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 123)
    with pretended_mps() as mps:
        timing = time_epochs(config, data, dataclasses.replace(device, kind="mps"), epochs=2, whole=data)
    assert timing.memory_bytes == 123 and timing.train_seconds > 0
    assert mps.operators and mps.objections() == []
