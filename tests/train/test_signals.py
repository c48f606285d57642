"""Signals to one process and the file for all runs of a sweep."""

import os
import signal
import subprocess
import sys

import pytest

from sweeper.runs.sweep_files import VARIABLE, SweepStop
from sweeper.train.launchers.registry import LAUNCHERS
from sweeper.train.signals import SIGNALS, STOPPING, StopSignals


@pytest.fixture(autouse=True)
def as_before():
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    os.environ.pop(VARIABLE, None)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_and_tells_the_exit_code(number):
    signals = StopSignals()
    signal.raise_signal(number)
    assert (signals.received, signals.exit_code) == (number, 128 + number)


def test_a_signal_to_the_driver_stops_all_runs_of_its_sweep(tmp_path):
    stop = SweepStop.begin(tmp_path)
    assert SweepStop.current() is not None and not SweepStop.current().requested()
    StopSignals(stop)
    signal.raise_signal(signal.SIGTERM)
    assert SweepStop.current().requested() and stop.reason() == "interrupted"
    stop.end()
    assert SweepStop.current() is None and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("of_command", [True, False])
def test_the_commands_process_answers_the_first_signal_by_a_line_at_once(capfd, of_command):
    """A worker says nothing, or each of them would."""
    StopSignals(of_command=of_command)
    signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == f"{STOPPING}\n" * of_command


def test_a_run_in_its_drivers_process_uses_the_drivers_handler():
    signals = StopSignals()
    assert StopSignals.installed() is signals


def test_a_second_signal_ends_the_process_at_once():
    child = os.fork()
    if child == 0:
        StopSignals()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 143


@pytest.mark.parametrize(
    ("first", "pause", "second", "code"),
    [
        (signal.SIGTERM, 0, signal.SIGTERM, 0),  # `timeout 60 python -m sweeper.train …`
        (signal.SIGTERM, 2, signal.SIGTERM, 143),
        (signal.SIGINT, 0, signal.SIGINT, 0),  # `timeout --signal=INT …`
        (signal.SIGINT, 0.2, signal.SIGINT, 130),
        (signal.SIGHUP, 0, signal.SIGTERM, 0),  # the end of a session
        (signal.SIGTERM, 0, signal.SIGHUP, 0),
        (signal.SIGHUP, 0, signal.SIGHUP, 0),  # a closed terminal, by its shell and by the kernel
        (signal.SIGINT, 9, signal.SIGHUP, 0),  # Ctrl-C, and the window is closed before the checkpoint is written
        (signal.SIGHUP, 2, signal.SIGTERM, 143),
        (signal.SIGHUP, 0, signal.SIGINT, 130),
    ],
)
def test_which_second_signals_are_the_first_once_more(monkeypatch, first, pause, second, code):
    now = [100.0]
    monkeypatch.setattr("sweeper.train.signals.time.monotonic", lambda: now[0])
    child = os.fork()
    if child == 0:
        StopSignals()
        signal.raise_signal(first)
        now[0] += pause
        signal.raise_signal(second)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code


def test_a_hangup_that_was_ignored_from_the_start_stays_ignored():
    """As under `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = StopSignals()
    signal.raise_signal(signal.SIGHUP)
    assert signals.received is None and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.raise_signal(signal.SIGTERM)
    assert signals.exit_code == 143


def test_a_command_whose_runs_outlive_its_terminal_ends_alone(tmp_path):
    """As with a queue of Slurm's, where a lost connection stops no job."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the suite may run under nohup
        StopSignals(SweepStop(tmp_path / "stop"), outlived=True)
        signal.raise_signal(signal.SIGHUP)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGHUP
    assert not (tmp_path / "stop").exists()
    assert [launcher.name for launcher in LAUNCHERS.values() if launcher.outlives] == ["slurm"]


BLOCKED = """
import os, sys, time
from pathlib import Path
from sweeper.system.lock import Lock
from sweeper.train.launchers.registry import LAUNCHERS
from sweeper.train.signals import StopSignals, begin_worker

gone = 0  # as if the command had ended
if sys.argv[1] == "blocked":
    begin_worker(gone)
    os.read(os.pipe()[0], 1)
with Lock(Path("lock")):
    begin_worker(gone)
    while StopSignals.installed().received is None:
        time.sleep(0.05)
    Path("checkpoint").touch()
time.sleep(60)
"""


@pytest.mark.parametrize("doing", ["blocked", "training"])
def test_a_worker_without_its_command_ends_and_a_run_writes_its_checkpoint_first(tmp_path, doing):
    command = [sys.executable, "-c", BLOCKED, doing]
    assert subprocess.run(command, cwd=tmp_path, timeout=30, check=False).returncode == 129
    left = {path.name for path in tmp_path.iterdir()} - {"lock"}  # it isn't held: its process has ended
    assert left == ({"checkpoint"} if doing == "training" else set())
