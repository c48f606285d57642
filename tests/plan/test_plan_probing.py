"""`sweeper.plan` with its real probe: what it shows, how it ends, and that it leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import TINY, merged, run_module
from forked_children import run_all_forked


@pytest.mark.slow
def test_a_real_plan_shows_all_and_leaves_nothing_behind(tmp_path):
    arguments = (
        "-m",
        *TINY,
        "model=mlp",
        "optimizer=sgd,lion",
        "hydra/launcher=basic",
        "--probe-seconds=1",
        "--within=1d",
    )
    done = run_module("plan", *arguments, cwd=tmp_path, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    for words in (
        "2 runs in outputs/: 0 done, 0 half-done, 2 to do; 4 of 4 epochs left",
        "on CPU (",
        "hydra/launcher=basic",
        "as asked for",
        "all of it fits in 1 d",
        "disk: ",
        "no speed of this model and image size is known",
    ):
        assert words in done.stdout, done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_can_not_be_made_is_one_line(tmp_path):
    done = run_all_forked("plan", *TINY, "optimizer._target_=torch.optim.Sgd", cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and last.startswith("error: optimizer._target_=torch.optim.Sgd: ") and "SGD" in last
    assert "Traceback" not in done.stderr and done.stdout == ""


@contextlib.contextmanager
def probing(folder, *arguments):
    """A plan at work, with `folder` for its own and for temporary files, from when its probe begins to time."""
    command = [sys.executable, "-m", "sweeper.plan", *merged(*TINY, *arguments)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        most = "10 min of training, with set-up about 25 min at most"
        assert process.stderr.readline() == f"timing a run, alone: {most}\n"
        assert process.stderr.readline() == "timing digits-cnn sgd, 1 at a time\n"
        yield process


@pytest.mark.slow
def test_ctrl_c_ends_it_at_once_and_leaves_nothing_behind(tmp_path):
    with probing(tmp_path, "--probe-seconds=600") as process:
        until = time.monotonic() + 60
        while not list(tmp_path.iterdir()) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        error = process.stderr.read()
    assert (process.returncode, error) == (130, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_its_probe_ends_without_a_word_when_it_is_killed(tmp_path):
    with probing(tmp_path, "--probe-seconds=600") as process:
        process.kill()
        error = process.stderr.read()  # to the probe's end, which has the same stderr
    assert (process.returncode, error) == (-signal.SIGKILL, "")
    assert list(tmp_path.iterdir()) == []
