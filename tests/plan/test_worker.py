"""A process of the timing probe: pretended lanes, memory that runs out, and the lines by which it answers."""

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
from sweeper.system.errors import BadInput
from sweeper.system.module_path import VARIABLE
from sweeper.train.launchers import cuda_lane as places
from sweeper.train.launchers import lane_trial
from sweeper.train.launchers.kinds import kind_of_work
from sweeper.train.launchers.lane_cache import keep_gains, known_gains
from sweeper.train.launchers.lane_gains import choose_lanes
from tests.plan.test_timing import prepare
from tests.train.launchers.test_lanes import FakeDevice

pytestmark = pytest.mark.slow


def test_the_launchers_own_trial_tells_lanes_and_gain(tmp_path, monkeypatch):
    """As on a GPU, over a device that only says that it serves several: it ends, and soon, with what it found. The
    launcher finds that, and so does the next plan, which trains nothing."""
    monkeypatch.setattr(places, "Cuda", FakeDevice)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(
        "TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache" / "inductor")
    )  # as the command's process has it
    for name in ("PIECE", "PIECE_OF_KIND"):
        monkeypatch.setattr(lane_trial, name, 0.02)
    config, _, device = prepare()
    found, gain = worker._pack([(config, device)] * 2, 3)
    assert 1 <= found <= 3 and gain > 0
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    known = known_gains([kind_of_work(config)])
    assert choose_lanes(known, 3) == found and set(known) >= {1, 2}
    monkeypatch.setattr(worker, "_until_tried", None)
    keep_gains([kind_of_work(config)], {1: 1.0, 2: 1.5, 3: 1.6})
    assert worker._pack([(config, device)] * 2, 3) == (3, pytest.approx(1.6))
    assert worker._pack([(config, device)] * 2, 2) == (2, pytest.approx(1.5))


def test_memory_that_runs_out_is_said_with_what_to_do(monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(worker, "time_first", full)
    config, _, _ = prepare()
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
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
        input=f"{json.dumps(task)}\n\n\n",
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
