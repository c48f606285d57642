"""One owner a run, also when owners die, on this machine or on another."""

import json
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from sweeper.system import lock as lock_module
from sweeper.system.lock import Lock, Locked, LockLost, is_alive, read_lock
from sweeper.system.processes import process_started, this_process


@pytest.fixture(autouse=True)
def fast_clock(monkeypatch):
    monkeypatch.setattr(lock_module, "HEARTBEAT", 0.05)
    monkeypatch.setattr(lock_module, "PATIENCE", 0.4)


def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path):
    with (
        Lock(tmp_path / "run.lock"),
        pytest.raises(Locked, match=f"process {os.getpid()} on host"),
        Lock(tmp_path / "run.lock"),
    ):
        pass
    with Lock(tmp_path / "run.lock"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_taken_over_at_once(tmp_path):
    code = "import os, sys; from pathlib import Path; from sweeper.system.lock import Lock"
    subprocess.run(
        [sys.executable, "-c", code + "; Lock(Path(sys.argv[1])).__enter__(); os._exit(9)", str(tmp_path / "run.lock")],
        check=False,
    )
    assert read_lock(tmp_path / "run.lock") is not None
    with Lock(tmp_path / "run.lock"):
        pass


def elsewhere(beat: int) -> str:
    return json.dumps(
        {"owner": "other", "beat": beat, "host": "elsewhere", "boot": "1", "pid": 1, "process_started": "1"}
    )


def grows_meanwhile(path, content, monkeypatch, stopped=0):
    """The first pause of whoever waits takes so many seconds more, and the counter grows in it."""
    pause, now = time.sleep, time.monotonic

    def meanwhile(seconds):
        path.write_text(content)
        monkeypatch.setattr(lock_module.time, "sleep", pause)
        monkeypatch.setattr(lock_module.time, "monotonic", lambda: now() + stopped)

    monkeypatch.setattr(lock_module.time, "sleep", meanwhile)


@pytest.mark.parametrize("stopped", [0, 1])
def test_an_owner_elsewhere_lives_while_its_counter_grows_whatever_its_clock_says(tmp_path, monkeypatch, stopped):
    """Also where the command that waits for it was stopped, by Ctrl-Z, for longer than its patience."""
    path = tmp_path / "run.lock"
    path.write_text(elsewhere(0))
    os.utime(path, (0, 0))  # a clock that is decades behind
    grows_meanwhile(path, elsewhere(1), monkeypatch, stopped)
    with pytest.raises(Locked, match="process 1 on host elsewhere"), Lock(path):
        pass


def test_a_folder_that_can_not_be_read_for_a_moment_makes_no_owner_dead(tmp_path, monkeypatch):
    path = tmp_path / "run.lock"
    path.write_text(elsewhere(0))
    read, broken = lock_module.read_file, []

    def stale_at_first(file, most):
        if len(broken) < 3:
            broken.append(file)
            raise OSError(116, "Stale file handle")
        path.write_text(elsewhere(1))
        return read(file, most)

    monkeypatch.setattr(lock_module, "read_file", stale_at_first)
    assert is_alive(path, json.loads(elsewhere(0)))
    assert len(broken) == 3


def test_an_owner_elsewhere_is_dead_when_its_counter_stands_still(tmp_path):
    path = tmp_path / "run.lock"
    path.write_text(elsewhere(7))
    assert not is_alive(path, json.loads(elsewhere(7)))
    with Lock(path):
        assert read_lock(path)["owner"] != "other"


def test_an_owner_whose_lock_was_taken_over_learns_it_before_it_writes(tmp_path):
    with Lock(tmp_path / "run.lock") as lock:
        lock.check()
        (tmp_path / "run.lock").write_text(elsewhere(0))
        with pytest.raises(LockLost, match="took this run over"):
            lock.check()
    assert read_lock(tmp_path / "run.lock")["owner"] == "other"  # and leaves the new owner's lock alone


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', "\0\0"])
def test_a_damaged_lock_stops_nobody(tmp_path, content):
    (tmp_path / "run.lock").write_text(content)
    with Lock(tmp_path / "run.lock"):
        pass


def test_of_many_at_once_one_gets_it(tmp_path):
    (tmp_path / "run.lock").write_text(elsewhere(3))  # dead, so that all try to take it over
    holders, refused, begin, end = [], [], threading.Barrier(8), threading.Event()

    def attempt() -> None:
        begin.wait()
        try:
            with Lock(tmp_path / "run.lock") as lock:
                holders.append(lock)
                end.wait(5)
        except Locked:
            refused.append(1)
            if len(refused) == 7:
                end.set()

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(holders), len(refused)) == (1, 7)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("linux", [True, False])
def test_an_owner_here_lives_by_when_it_started(tmp_path, child, monkeypatch, linux):
    """ "" stands in locks of systems without /proc, of earlier versions, which knew no more than that it is there."""
    monkeypatch.setattr(psutil, "LINUX", linux and psutil.LINUX)
    path, started = tmp_path / "run.lock", process_started(child.pid)
    seen = this_process() | {"owner": "another", "pid": child.pid}
    told = {word: is_alive(path, seen | {"process_started": word}) for word in (started, "", "1", None)}
    assert told == {started: True, "": True, "1": False, None: False}
    child.kill()
    child.wait()
    assert not any(is_alive(path, seen | {"process_started": word}) for word in (started, "", "1", None))


def test_the_owner_tells_how_far_it_is_and_since_when(tmp_path, monkeypatch):
    """News are written between two heartbeats, but no more often than `NEWS`; nothing new is written with them."""
    monkeypatch.setattr(lock_module, "HEARTBEAT", 600.0)
    monkeypatch.setattr(lock_module, "NEWS", 0.02)
    lock = Lock(tmp_path / "run.lock")
    told = {"epochs": 0.5}
    lock.facts = lambda: told
    with lock:
        seen = wait_for(tmp_path / "run.lock", lambda seen: "work" in seen)
        assert (seen["work"], seen["unchanged"], seen["beat"]) == ({"epochs": 0.5}, 0.0, 1)
        time.sleep(0.1)
        assert read_lock(tmp_path / "run.lock") == seen
        monkeypatch.setattr(lock_module, "HEARTBEAT", 0.1)
        wait_for(tmp_path / "run.lock", lambda seen: seen["unchanged"] > 0)
        told = {"epochs": 0.75}
        assert wait_for(tmp_path / "run.lock", lambda seen: seen["work"] == told)["owner"] == seen["owner"]


def wait_for(path, there):
    deadline = time.monotonic() + 10
    while not there(seen := read_lock(path) or {}):
        assert time.monotonic() < deadline, seen
        time.sleep(0.01)
    return seen


def test_an_owner_that_this_machine_hides_lives_while_its_counter_grows(tmp_path, monkeypatch):
    """Another user's process on a machine whose /proc tells of one's own alone (`hidepid`)."""
    monkeypatch.setattr("sweeper.system.processes.process_started", lambda pid: "")
    path, here = tmp_path / "run.lock", {**json.loads(elsewhere(0)), **this_process(), "pid": 1}
    path.write_text(json.dumps(here))
    assert is_alive(path, here, wait=False)
    grows_meanwhile(path, json.dumps(here | {"beat": 1}), monkeypatch)
    with pytest.raises(Locked, match="process 1 on host"), Lock(path):
        pass
    os.utime(path, (0, 0))
    assert not is_alive(path, here, wait=False)
    with Lock(path):  # it beats no more
        pass
