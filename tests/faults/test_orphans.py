"""Runs whose command is gone, killed or with its terminal: all processes end soon, and the same command goes on."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import merged
from forked import Command, start

from sweeper.runs.directory import RunDirectory
from tests.faults.test_signals import LAUNCHED, begin, end

SOON = 8.0  # seconds on a busy machine; a worker looks twice a second, and then writes its checkpoint

TWO_GPUS = "import os\nos.environ['SWEEPER_SIMULATED_GPUS'] = '2'\n"


def records(folder: Path) -> dict[Path, str]:
    return {path.parent: json.loads(path.read_text())["status"] for path in folder.glob("outputs/*/*/run.json")}


def rows(directory: Path) -> int:
    """The epochs in its table."""
    table = directory / "metrics.csv"
    return table.read_text().count("\n") - 1 if table.exists() else 0


def begin_until(folder: Path, launcher: str, moment: str) -> Command:
    """Start a sweep in two processes, until its first worker has started, some time later, or until both train."""
    if moment == "both train" and launcher == "joblib":
        return begin(folder, launcher)
    patch = TWO_GPUS if launcher == "packed" else ""
    command = start("train", *LAUNCHED[launcher], cwd=folder, log=folder / "log", patch=patch)
    deadline = time.monotonic() + 120
    while len(command.processes()) < 3:
        assert command.wait(0.02) is None and time.monotonic() < deadline, command.text
    if moment == "both train":
        while len(started := list(records(folder))) < 2 or min(map(rows, started)) < 1:
            assert command.wait(0.02) is None and time.monotonic() < deadline, command.text
    elif moment != "at once":
        time.sleep(float(moment.split(maxsplit=1)[0]))
    return command


def kill_the_command(folder: Path, launcher: str, moment: str, suspended: bool = False) -> dict[Path, int]:
    """Returns the epochs that each run had done."""
    command = begin_until(folder, launcher, moment)
    if suspended:
        os.kill(command.pid, signal.SIGSTOP)
        time.sleep(0.5)
    command.kill(command.pid)
    killed = time.monotonic()
    while (left := command.processes()) and time.monotonic() < killed + SOON:
        time.sleep(0.05)
    took = time.monotonic() - killed
    command.kill()
    assert left == [], command.text
    found = records(folder)
    assert set(found.values()) <= {"interrupted"}, found
    if moment == "both train":
        assert len(found) == 2
    before = {directory: rows(directory) for directory in found}
    for directory in found:
        state = RunDirectory(directory).load_checkpoint()
        assert state is not None and state["epoch"] > before[directory], "an epoch was lost"
    print(f"{launcher}, {moment}: gone after {took:.2f} s")
    return before


def go_on(folder: Path, launcher: str, before: dict[Path, int]) -> None:
    """The same command goes on, from where each run had come."""
    again = start("train", *LAUNCHED[launcher], cwd=folder, log=folder / "again")
    deadline = time.monotonic() + 120
    while not any(status == "running" and rows(d) > before.get(d, 0) for d, status in records(folder).items()):
        assert again.wait(0.05) is None and time.monotonic() < deadline, again.text
    os.kill(again.pid, signal.SIGTERM)
    assert end(again) == 143 and "Traceback" not in again.text, again.text
    for directory, epochs in before.items():
        assert rows(directory) >= epochs


@pytest.mark.slow
def test_workers_end_soon_after_their_command_was_killed(tmp_path):
    """The short form."""
    kill_the_command(tmp_path, "joblib", "both train")


@pytest.mark.faults
@pytest.mark.parametrize("launcher", ["joblib", "packed"])
@pytest.mark.parametrize("moment", ["at once", "1 s later", "3 s later", "both train"])
def test_workers_of_each_launcher_end_at_each_moment(tmp_path, launcher, moment):
    """The long form."""
    before = kill_the_command(tmp_path, launcher, moment, suspended=moment == "both train")
    go_on(tmp_path, launcher, before)


def close_its_terminal(folder: Path, arguments: tuple[str, ...], runs: int, *before: str) -> tuple[int, dict]:
    """Start in a terminal of its own and close that when so many runs train; the exit code and the records."""
    ours, theirs = pty.openpty()
    pipes = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    leads = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
    command = [*before, sys.executable, "-m", "sweeper.train", *merged(*arguments)]
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", leads, *command], cwd=folder, env=environment, start_new_session=True, **pipes
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    deadline, text = time.monotonic() + 120, b""
    while len(found := list(folder.glob("outputs/*/*/metrics.csv"))) < runs or min(rows(f.parent) for f in found) < 1:
        try:
            text += os.read(ours, 65536)
        except OSError:  # nothing to read yet; with nohup, ever
            time.sleep(0.02)
        assert process.poll() is None and time.monotonic() < deadline, text.decode(errors="replace")
    os.close(ours)
    if before:  # nohup: it goes on
        time.sleep(2)
        assert process.poll() is None and set(records(folder).values()) == {"running"}
        process.terminate()
    code = process.wait(60)
    deadline = time.monotonic() + SOON
    while left := [path for path in Path("/proc").glob("[0-9]*") if is_of_session(path, process.pid)]:
        assert time.monotonic() < deadline, [(path / "cmdline").read_bytes() for path in left]
        time.sleep(0.05)
    return code, records(folder)


def is_of_session(process: Path, session: int) -> bool:
    try:
        after_name = (process / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return False
    return int(after_name[3]) == session and after_name[0] != "Z"


def check_stopped(found: dict[Path, str], runs: int) -> None:
    assert list(found.values()) == ["interrupted"] * runs
    for directory in found:
        state = RunDirectory(directory).load_checkpoint()
        assert state is not None and state["epoch"] > rows(directory)
        assert re.search(r"interrupted after epoch \d+", (directory / "train.log").read_text())


@pytest.mark.slow
def test_a_closed_terminal_stops_a_run_with_a_checkpoint(tmp_path):
    """The short form."""
    code, found = close_its_terminal(tmp_path, LAUNCHED["single"], 1)
    assert code == 129
    check_stopped(found, 1)


@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHED)
def test_a_closed_terminal_stops_each_launcher(tmp_path, launcher):
    """The long form."""
    runs = 2 if launcher == "joblib" else 1
    code, found = close_its_terminal(tmp_path, LAUNCHED[launcher], runs)
    assert code == 129
    check_stopped(found, runs)


@pytest.mark.faults
@pytest.mark.parametrize("launcher", ["single", "joblib"])
def test_under_nohup_it_goes_on_without_a_terminal(tmp_path, launcher):
    runs = 2 if launcher == "joblib" else 1
    code, found = close_its_terminal(tmp_path, LAUNCHED[launcher], runs, "nohup")
    assert code == 143
    check_stopped(found, runs)
