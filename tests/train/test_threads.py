"""How many threads runs get, with the default and the real command line: the same from a sweep's first to its last run,
and a run that goes on keeps those it began with, whatever trains it then."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import merged
from forked import TABLES_HERE, run_forked, start

from sweeper.runs import sweep_files
from sweeper.system.machine import cores
from sweeper.train import threads
from sweeper.train.presence import Presence
from tests.train.test_command import without_times

RUN = ("dataset=digits", "model=mlp", "device=cpu", "optimizer=sgd", "save_model=false")  # with the default threads
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")

two_cores = pytest.mark.skipif(cores() < 2, reason="one core gives every run one thread")


def records(folder: Path) -> dict[int, dict]:
    """Those of `outputs/`, by seed."""
    found = [json.loads(path.read_text()) for path in folder.glob("outputs/*/*/run.json")]
    return {record["config"]["seed"]: record for record in found}


def stop_when(told: str, arguments: tuple[str, ...], cwd: Path) -> None:
    """Start the command, send SIGTERM when its run of the last seed has trained an epoch and the others of `told` are
    completed: two of them end at almost the same time, and the last one begins when the first of them has."""
    cwd.mkdir(exist_ok=True)
    command = start("train", *arguments, cwd=cwd, log=cwd / "log")
    deadline = time.monotonic() + 200
    while True:
        assert command.wait(0.01) is None and time.monotonic() < deadline, command.text
        *others, last = sorted(cwd.glob("outputs/*/*/metrics.csv"), key=lambda path: path.parent.name) or [None]
        begun = last is not None and len(others) == told.count(",") and last.read_text().count("\n") > 1
        if begun and all(run["status"] == "completed" for seed, run in records(cwd).items() if str(seed) != told[-1]):
            break
    os.kill(command.pid, signal.SIGTERM)
    command.wait(60)


def same(one: Path, other: Path) -> None:
    names = sorted(path.parent.name for path in one.glob("outputs/*/*/metrics.csv"))
    assert names
    for name in names:
        ours, theirs = (next(folder.glob(f"outputs/*/{name}/metrics.csv")) for folder in (one, other))
        assert without_times(ours) == without_times(theirs), name


@two_cores
@pytest.mark.slow
def test_a_sweep_stopped_at_its_last_run_ends_as_if_it_had_not_been(tmp_path):
    sweep = ("-m", *RUN, "epochs=40", "seed=1,2,3", *JOBLIB)
    stop_when("1,2,3", sweep, tmp_path / "stopped")
    assert [records(tmp_path / "stopped")[seed]["status"] for seed in (1, 2, 3)] == [
        "completed",
        "completed",
        "interrupted",
    ]
    (tmp_path / "whole").mkdir()
    for name in ("stopped", "whole"):
        done = run_forked("train", *sweep, cwd=tmp_path / name, patch=TABLES_HERE)
        assert done.returncode == 0, done.stderr
        assert "isn't used" not in done.stderr and "this run began" not in done.stderr
        assert ("going on from the checkpoint" in done.stderr) == (name == "stopped"), done.stderr
    same(tmp_path / "whole", tmp_path / "stopped")
    for record in (*records(tmp_path / "stopped").values(), *records(tmp_path / "whole").values()):
        assert record["environment"]["threads"] == max(1, cores() // 2) and record["result"]["epochs_done"] == 40


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A single run, which has all cores, stopped after an epoch, and the same run never stopped."""
    folder = tmp_path_factory.mktemp("begun")
    run = (*RUN, "epochs=40", "seed=1")
    stop_when("1", run, folder / "stopped")
    (folder / "whole").mkdir()
    assert run_forked("train", *run, cwd=folder / "whole").returncode == 0
    for name, status in (("stopped", "interrupted"), ("whole", "completed")):
        record = records(folder / name)[1]
        assert (record["status"], record["environment"]["threads"]) == (status, cores())
    return folder


def go_on(begun: Path, folder: Path, *arguments: str, before: tuple[str, ...] = ()) -> str:
    """The stopped run, gone on with to its end in a copy of its folder; returns what was said."""
    shutil.copytree(begun / "stopped", folder / "copy")
    words = merged(*RUN, "epochs=40", "seed=1", *arguments)
    if before:
        command = [*before, sys.executable, "-m", "sweeper.train", *words]
        done = subprocess.run(command, cwd=folder / "copy", capture_output=True, text=True, timeout=300, check=False)
    else:
        done = run_forked("train", *words, cwd=folder / "copy", patch=TABLES_HERE)
    assert done.returncode == 0, done.stderr
    assert ("going on from the checkpoint" in done.stderr) == ("rerun=true" not in arguments), done.stderr
    return done.stderr


LAUNCHERS = {
    "single": (),
    "basic": ("-m", "hydra/launcher=basic"),
    "packed": ("-m", "hydra/launcher=packed"),
    "local": ("-m",),  # by joblib; the same with other processes at a time is the test above
}


@two_cores
@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_run_keeps_its_threads_with_every_launcher(begun, tmp_path, launcher):
    said = go_on(begun, tmp_path, *LAUNCHERS[launcher])
    same(begun / "whole", tmp_path / "copy")
    assert records(tmp_path / "copy")[1]["environment"]["threads"] == cores()
    fewer = f"it goes on with the {cores()} threads it began with, so fewer runs go at a time"
    assert (fewer in said) == (launcher == "local"), said


@two_cores
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("taskset") is None, reason="without taskset")
def test_a_run_keeps_its_threads_on_fewer_cores(begun, tmp_path):
    said = go_on(begun, tmp_path, before=("taskset", "-c", str(min(os.sched_getaffinity(0)))))
    same(begun / "whole", tmp_path / "copy")
    assert f"the run goes on with the {cores()} threads it began with; there is 1 core" in said


@two_cores
@pytest.mark.slow
def test_threads_asked_for_on_the_way_are_refused_in_a_line_and_used_by_a_rerun(begun, tmp_path):
    said = go_on(begun, tmp_path, "device.threads=1")
    same(begun / "whole", tmp_path / "copy")
    why = f"the run goes on with device.threads={cores()}, as it began; rerun=true trains it anew"
    assert f"device.threads=1 isn't used: {why}" in said
    assert "isn't used" not in go_on(begun, tmp_path / "again", "device.threads=1", "rerun=true")
    assert records(tmp_path / "again" / "copy")[1]["environment"]["threads"] == 1
    assert list((tmp_path / "again" / "copy").glob("outputs/*/*/previous/1/run.json"))


def test_no_more_threads_than_cores_are_used_at_a_time(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 8)
    monkeypatch.setattr("sweeper.system.machine.cores", lambda: 8)
    of_one = [threads.runs_at_a_time(4, n, "cpu") for n in (1, 2, 3, 8, 16)]
    assert of_one == [4, 4, 2, 1, 1]
    assert threads.runs_at_a_time(4, 16, "cuda") == 4


def have_cores(wanted: int, path: Path, events: "multiprocessing.Queue", seconds: float) -> None:
    with threads._cores(wanted, path, lambda: False):
        events.put(("has", wanted, time.monotonic()))
        time.sleep(seconds)
        events.put(("gives", wanted, time.monotonic()))


def test_runs_wait_for_their_cores_in_turn(tmp_path, monkeypatch):
    """On three cores: two runs of one thread, then one of three, and a last one of one thread not before it."""
    monkeypatch.setattr(threads, "cores", lambda: 3)
    context = multiprocessing.get_context("fork")
    events, at_work = context.Queue(), []
    for wanted in (1, 1, 3, 1):
        at_work.append(context.Process(target=have_cores, args=(wanted, tmp_path / "cores", events, 1.0)))
        at_work[-1].start()
        time.sleep(0.3)
    seen = [events.get(timeout=30) for _ in range(8)]
    for process in at_work:
        process.join(10)
    seen.sort(key=lambda event: event[2])
    assert [event[:2] for event in seen] == [
        *(("has", 1), ("has", 1), ("gives", 1), ("gives", 1)),
        *(("has", 3), ("gives", 3), ("has", 1), ("gives", 1)),
    ]


def test_the_cores_of_a_killed_process_are_free(tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 2)
    context = multiprocessing.get_context("fork")
    events = context.Queue()
    process = context.Process(target=have_cores, args=(9, tmp_path / "cores", events, 600.0))
    process.start()
    assert events.get(timeout=30)[0] == "has"
    tried = []
    with threads._cores(1, tmp_path / "cores", lambda: len(tried.append(1) or tried) > 3):
        pass  # stopped: it had waited in vain
    assert len(tried) > 3
    process.kill()
    process.join(10)
    with threads._cores(2, tmp_path / "cores", lambda: False):
        pass


@pytest.mark.parametrize("fault", ["read-only", "no locks", "somebody else's"])
def test_without_a_temporary_folder_runs_go_on_without_waiting(tmp_path, monkeypatch, caplog, fault):
    import fcntl
    import tempfile

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if fault == "read-only":
        monkeypatch.setattr(tempfile, "tempdir", "/proc/self")  # where nothing can be made, by root either
    elif fault == "no locks":
        monkeypatch.setattr(fcntl, "lockf", refuse)
    else:
        (tmp_path / f"optimizer-sweeper-{os.getuid()}").symlink_to("/")
    monkeypatch.setenv(sweep_files.VARIABLE, str(tmp_path / ".stop-0123456789ab"))
    config = {"device": {"kind": "cpu", "threads": None}, "rerun": False}
    with threads.own_cores(config, tmp_path / "run", 1):
        pass
    (line,) = caplog.messages
    assert line.endswith("; the sweep's runs don't wait until cores are free"), line
    with Presence("cpu") as presence:
        assert not presence.others
