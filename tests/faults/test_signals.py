"""Each signal that asks to stop, in each way in which runs start: a checkpoint, `interrupted`, and nobody left."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from forked import Command, start

from sweeper.runs.directory import RunDirectory
from sweeper.train.signals import SIGNALS

SOON = 5.0  # seconds in which a run has stopped

# Runs that would take minutes.
TRAINED = ("dataset=digits", "epochs=2000", "model.width=8", "device=cpu", "device.threads=1", "save_model=false")
SWEEP = ("-m", "optimizer=sgd,lion", "seed=1,2", *TRAINED)
LAUNCHED = {
    "single": TRAINED,
    "basic": (*SWEEP, "hydra/launcher=basic"),
    "packed": (*SWEEP, "hydra/launcher=packed"),
    "joblib": (*SWEEP, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
}

# A step that doesn't end, so that nothing but the second signal can end the command.
STUCK = """
import time
from sweeper.engine.augment import EpochOrder
draw = EpochOrder.draw
EpochOrder.draw = lambda self, seed, epoch: time.sleep(600) if epoch == 2 else draw(self, seed, epoch)
"""


def begin(folder: Path, launcher: str, patch: str = "") -> Command:
    """Start, and wait until a run trains; with joblib, until each of its two workers has one."""
    command = start("train", *LAUNCHED[launcher], cwd=folder, log=folder / "log", patch=patch)
    deadline = time.monotonic() + 120
    while len(list(folder.glob("outputs/*/*/metrics.csv"))) < 1 + (launcher == "joblib"):
        assert command.wait(0.02) is None and time.monotonic() < deadline, command.text
    while not patch and any(p.read_text().count("\n") < 2 for p in folder.glob("outputs/*/*/metrics.csv")):
        assert command.wait(0.02) is None and time.monotonic() < deadline, command.text
    if patch:
        time.sleep(0.5)  # until the step that doesn't end
    return command


def statuses(folder: Path) -> list[str]:
    return [json.loads(path.read_text())["status"] for path in folder.glob("outputs/*/*/run.json")]


def end(command: Command) -> int | None:
    """The exit code; fails if a process of the command is left."""
    code = command.wait(60)
    deadline = time.monotonic() + SOON
    while command.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    left = command.processes()
    command.kill()
    assert code is not None and left == [], command.text
    return code


def stop(folder: Path, launcher: str, number: signal.Signals, to_all: bool = False) -> None:
    command = begin(folder, launcher)
    os.killpg(command.pid, number) if to_all else os.kill(command.pid, number)
    sent = time.monotonic()
    while "running" in statuses(folder) and time.monotonic() < sent + SOON:
        time.sleep(0.02)
    took = time.monotonic() - sent
    stopped = statuses(folder)
    assert end(command) == 128 + number, command.text
    assert set(stopped) == {"interrupted"} and took < SOON, (stopped, took)
    assert len(stopped) == (2 if launcher == "joblib" else 1)  # no other was begun
    for path in folder.glob("outputs/*/*/run.json"):
        assert RunDirectory(path.parent).load_checkpoint() is not None
    assert "Traceback" not in command.text and "interrupted after epoch" in command.text
    assert not [path for path in folder.rglob("outputs/**/.*") if path.name != ".hydra"]
    assert not list(folder.rglob("run.lock"))
    print(f"{launcher}, {number.name}{' to all' if to_all else ''}: stopped after {took:.2f} s")


def insist(folder: Path, launcher: str, number: signal.Signals) -> None:
    command = begin(folder, launcher, "" if launcher == "joblib" else STUCK)
    for _ in range(2):
        os.kill(command.pid, number)
        # A SIGTERM that follows within a second is the first once more: `timeout` sends two.
        time.sleep(1.1 if number == signal.SIGTERM else 0.2)
    assert command.wait(2) == 128 + number, command.text
    end(command)
    assert "Warning" not in command.text and "Traceback" not in command.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "number"), [("single", signal.SIGUSR1), ("packed", signal.SIGUSR2), ("joblib", signal.SIGHUP)]
)
def test_some_signals_stop_what_trains(tmp_path, launcher, number):
    """The short form."""
    stop(tmp_path, launcher, number)


@pytest.mark.slow
def test_a_second_ctrl_c_ends_a_run_in_the_middle_of_a_step(tmp_path):
    """The short form."""
    insist(tmp_path, "single", signal.SIGINT)


@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHED)
@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_stops_what_trains_with_each_launcher(tmp_path, launcher, number):
    """The long form."""
    stop(tmp_path, launcher, number)


@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHED)
def test_ctrl_c_on_a_terminal_is_for_all_processes_and_stops_them(tmp_path, launcher):
    stop(tmp_path, launcher, signal.SIGINT, to_all=True)


@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHED)
@pytest.mark.parametrize("number", [number for number in SIGNALS if number != signal.SIGHUP])
def test_a_second_signal_ends_each_launcher_at_once(tmp_path, launcher, number):
    insist(tmp_path, launcher, number)
