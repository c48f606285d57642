"""A process of the timing probe: pretended lanes, memory that runs out, and the lines by which it answers."""

import contextlib
import dataclasses
import io
import json
import os
import subprocess
import sys
import tempfile
import time

import pytest
import torch

from sweeper.plan import worker
from sweeper.plan.timing import time_first
from sweeper.system.errors import BadInput
from sweeper.system.module_path import VARIABLE
from sweeper.train.launchers import cuda_lane as places
from sweeper.train.launchers import lanes
from tests.plan.test_timing import prepare
from tests.train.launchers.test_lanes import FakeDevice

pytestmark = pytest.mark.slow


def test_the_launchers_own_trial_tells_lanes_and_gain(tmp_path, monkeypatch):
    """As on a GPU, over a device that only says that it serves several: it ends, and soon, with what it found."""
    monkeypatch.setattr(places, "Cuda", FakeDevice)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(lanes, "PIECE", 0.02)
    config, _, device = prepare()
    found, gain = worker._pack([(config, device)] * 2, 3)
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
    monkeypatch.setattr(worker, "choose_device", lambda *_: dataclasses.replace(device, kind="cuda"))
    monkeypatch.setattr(worker, "visible_gpus", lambda _: ["0"])
    monkeypatch.setattr(worker, "time_first", lambda *_: timing)
    monkeypatch.setattr(worker, "time_within", lambda *_: dataclasses.replace(timing, train_seconds=seconds[where[0]]))
    monkeypatch.setattr(worker, "_pack", lambda *_: (3, 1.2))
    monkeypatch.setattr(places, "Cuda", Lane)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    answers = io.StringIO()
    worker._carry_out({"configs": [config], "threads": 1, "seconds": 0.1, "pack": 3, "began": time.time()}, answers)
    assert json.loads(answers.getvalue().splitlines()[-1]) == {"built": False, "lanes": 3, "gain": pytest.approx(1.08)}


def test_memory_that_runs_out_is_said_with_what_to_do(monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(worker, "time_first", full)
    config, _, _ = prepare()
    task = {"configs": [config], "threads": 1, "seconds": 0.1, "pack": 0, "began": time.time()}
    with pytest.raises(BadInput, match=r"out of memory with batch_size=64, .*about batch_size=56 would fit"):
        worker._carry_out(task, io.StringIO())


def test_a_library_that_prints_does_not_spoil_the_answers(tmp_path):
    (tmp_path / "chatty.py").write_text(
        "from sweeper.datasets import digits\ndef load(dataset):\n    print('hello')\n    return digits(dataset)\n"
    )
    config, _, _ = prepare()
    config = {**config, "dataset": {**config["dataset"], "loader": "chatty.load"}}
    task = {"configs": [config], "threads": 1, "seconds": 0.1, "pack": 0, "began": time.time()}
    done = subprocess.run(
        [sys.executable, "-m", "sweeper.plan.worker", str(os.getpid())],
        input=f"{json.dumps(task)}\n\n",
        cwd=tmp_path,
        env={**os.environ, VARIABLE: str(tmp_path)},  # as the command tells its worker
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
    command = [sys.executable, "-m", "sweeper.plan.worker", str(os.getpid())]
    with subprocess.Popen(command, text=True, **pipes) as process:
        process.stdin.write(f"{json.dumps(task)}\n")
        process.stdin.flush()
        getattr(process, closed).close()
        error = process.stderr.read()
    assert (process.returncode, error) == (1, "")
