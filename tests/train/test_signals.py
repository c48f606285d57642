"""Signals to one process and the file for all runs of a sweep."""

import os
import signal

import pytest

from sweeper.runs.sweep_files import VARIABLE, SweepStop
from sweeper.train.signals import SIGNALS, StopSignals


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


def test_a_run_in_its_drivers_process_uses_the_drivers_handler():
    signals = StopSignals()
    assert StopSignals.installed() is signals


def test_a_second_signal_ends_the_process_at_once():
    child = os.fork()
    if child == 0:
        StopSignals()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130


@pytest.mark.parametrize(("pause", "code"), [(0, 0), (2, 143)])
def test_a_termination_sent_twice_at_once_is_one(monkeypatch, pause, code):
    """As `timeout 60 python -m sweeper.train …` sends it."""
    now = [100.0]
    monkeypatch.setattr("sweeper.train.signals.time.monotonic", lambda: now[0])
    child = os.fork()
    if child == 0:
        StopSignals()
        signal.raise_signal(signal.SIGTERM)
        now[0] += pause
        signal.raise_signal(signal.SIGTERM)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
