"""The timing probe: the engine's own loop on parts of the data, on the CPU, a pretended MPS and pretended lanes."""

import contextlib
import dataclasses
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import time

import pytest
import torch
from conftest import TINY
from pretended_mps import MPS, pretended_mps

from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine import loop as engine
from sweeper.engine.devices import Device, choose_device
from sweeper.plan import timing as epoch_timing
from sweeper.plan import worker as probe
from sweeper.plan.probe import probe as ask
from sweeper.plan.timing import part_of, time_epochs, time_first, time_within
from sweeper.system.errors import BadInput, RunFailed
from sweeper.train.launchers import cuda_lane as places
from sweeper.train.launchers import lanes
from tests.train.launchers.test_lanes import FakeDevice

pytestmark = pytest.mark.slow


def prepare(*overrides):
    config = compose_grid([*TINY, "model=mlp", *overrides]).cells[0].config
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
    step, measure = engine.Step.run, engine.Evaluation.measure

    def run(self, size):
        now[0] += 0.01 * size
        step(self, size)

    def evaluate(self):
        now[0] += 0.002 * len(self.labels)
        measure(self)

    monkeypatch.setattr(engine.Step, "run", run)
    monkeypatch.setattr(engine.Evaluation, "measure", evaluate)
    for part in (data, part_of(data, 60, 100)):
        timing = time_epochs(config, part, device, epochs=3, whole=data)
        assert timing.train_seconds == pytest.approx(0.01 * 300)
        assert timing.other_seconds == pytest.approx(0.002 * 359)
        assert timing.part == len(part.train.labels) / 300 and timing.images == 300


def test_what_a_run_leaves_is_measured():
    config, data, device = prepare("optimizer=adam")
    first = time_first(config, data, device)
    timing = time_within(0.2, config, data, device, first)
    weights = sum(p.numel() * 4 for p in probe_model(config, data).parameters())
    assert weights < timing.weights_bytes < 1.2 * weights + 4000
    assert timing.checkpoint_bytes > 3 * weights  # weights and two moments
    assert timing.epoch_seconds > 0 and timing.setup_seconds >= 0 and timing.memory_bytes > 10**7
    assert timing.image == (1, 8, 8) and timing.data == "scikit-learn's digits"


def probe_model(config, data):
    from sweeper.engine.build import build_model

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

    monkeypatch.setattr(epoch_timing, "time_epochs", timed)
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

    monkeypatch.setattr(epoch_timing, "time_epochs", timed)
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


def test_the_launchers_own_trial_tells_lanes_and_gain(tmp_path, monkeypatch):
    """As on a GPU, over a device that only says that it serves several: it ends, and soon, with what it found."""
    monkeypatch.setattr(places, "Cuda", FakeDevice)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(lanes, "PIECE", 0.02)
    config, _, device = prepare()
    found, gain = probe._pack([config, config], device, 3)
    assert 1 <= found <= 3 and gain > 0
    assert list(tmp_path.iterdir()) == []


def test_the_gain_is_over_runs_without_lanes_which_a_single_lane_is_slower_than(monkeypatch):
    where = ["alone"]

    class Lane:
        @contextlib.contextmanager
        def place(self):
            where[0] = "in a lane"
            yield
            where[0] = "alone"

    config, data, device = prepare()
    timing = time_first(config, data, device)
    seconds = {"alone": 0.9, "in a lane": 1.0}
    monkeypatch.setattr(probe, "choose_device", lambda *_: dataclasses.replace(device, kind="cuda"))
    monkeypatch.setattr(probe, "visible_gpus", lambda _: ["0"])
    monkeypatch.setattr(probe, "time_first", lambda *_: timing)
    monkeypatch.setattr(probe, "time_within", lambda *_: dataclasses.replace(timing, train_seconds=seconds[where[0]]))
    monkeypatch.setattr(probe, "_pack", lambda *_: (3, 1.2))
    monkeypatch.setattr(places, "Cuda", Lane)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    answers = io.StringIO()
    probe._carry_out({"configs": [config], "threads": 1, "seconds": 0.1, "pack": 3, "began": time.time()}, answers)
    assert json.loads(answers.getvalue().splitlines()[-1]) == {"built": False, "lanes": 3, "gain": pytest.approx(1.08)}


def test_processes_at_the_same_time_are_asked_by_lines():
    config, _, _ = prepare()
    found = ask([config], at_a_time=2, threads=1, seconds=0.2, pack=2)
    assert (found.device, found.lanes, found.gain) == ("cpu", 1, 1.0)  # a CPU packs nothing
    assert found.timings[0].images == 300 and 0 < found.start_seconds < 120 and 0 < found.load_seconds < 120


def test_what_was_built_for_the_probe_is_not_counted_for_the_sweep(tmp_path, monkeypatch, capfd):
    """A model that, as Triton, builds its kernels when they aren't in the cache on disk, for two seconds."""
    (tmp_path / "builds.py").write_text(
        "import os, pathlib, time\nfrom sweeper.models import mlp\n"
        "def build(num_classes, in_channels, image_size, **options):\n"
        "    kernels = pathlib.Path(os.environ['TRITON_CACHE_DIR'])\n"
        "    if not kernels.is_dir():\n        time.sleep(2)\n        (kernels / 'kernel').mkdir(parents=True)\n"
        "    return mlp(num_classes, in_channels, image_size, **options)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "kernels"))
    config, _, _ = prepare()
    config["model"] = {**config["model"], "_target_": "builds.build"}
    (timing,) = ask([config], at_a_time=1, threads=1, seconds=0.2, pack=0).timings
    assert timing.first_seconds < 1.5 and timing.setup_seconds < 1.5
    assert "kernels were built: timing a start that finds them" in capfd.readouterr().err
    ask([config], at_a_time=1, threads=1, seconds=0.2, pack=0)
    assert "kernels were built" not in capfd.readouterr().err


def test_memory_that_runs_out_is_said_with_what_to_do(monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(probe, "time_first", full)
    config, _, _ = prepare()
    task = {"configs": [config], "threads": 1, "seconds": 0.1, "pack": 0, "began": time.time()}
    with pytest.raises(BadInput, match=r"out of memory with batch_size=64, .*about batch_size=56 would fit"):
        probe._carry_out(task, io.StringIO())


def test_what_can_not_be_made_is_bad_input_and_what_breaks_is_said():
    config, _, _ = prepare()
    with pytest.raises(BadInput, match="device=cuda: "):
        ask([{**config, "device": {**config["device"], "kind": "cuda"}}], 1, 1, 0.2, 0)
    with pytest.raises(RunFailed, match="timing probe: KeyError"):
        ask([{**config, "dataset": {}}], 1, 1, 0.2, 0)


def test_what_is_not_installed_is_said_before_anything_is_timed(capfd):
    config, _, _ = prepare()
    missing = {**config, "optimizer": {**config["optimizer"], "_target_": "pytorch_optimiser.SOAP"}}
    with pytest.raises(BadInput, match="no package 'pytorch_optimiser'"):
        ask([config, missing], 1, 1, 0.2, 0)
    assert "timing" not in capfd.readouterr().err


def test_a_library_that_prints_does_not_spoil_the_answers(tmp_path):
    (tmp_path / "chatty.py").write_text(
        "from sweeper.datasets import digits\ndef load(dataset):\n    print('hello')\n    return digits(dataset)\n"
    )
    config, _, _ = prepare()
    config = {**config, "dataset": {**config["dataset"], "loader": "chatty.load"}}
    task = {"configs": [config], "threads": 1, "seconds": 0.1, "pack": 0, "began": time.time()}
    done = subprocess.run(
        [sys.executable, "-m", "sweeper.plan.worker"],
        input=f"{json.dumps(task)}\n\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [next(iter(answer)) for answer in answers] == ["device", "ready", "train_seconds", "built"]
    assert "hello" in done.stderr


@pytest.mark.parametrize("closed", ["stdout", "stdin"])
def test_when_whoever_asked_is_gone_it_fails_without_a_word(closed):
    config, _, _ = prepare()
    task = {"configs": [config], "threads": 1, "seconds": 0.1, "pack": 0, "began": time.time()}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-m", "sweeper.plan.worker"], text=True, **pipes) as process:
        process.stdin.write(f"{json.dumps(task)}\n")
        process.stdin.flush()
        getattr(process, closed).close()
        error = process.stderr.read()
    assert (process.returncode, error) == (1, "")
