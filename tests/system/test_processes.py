"""A process is known by its machine, its boot, its number and when it started."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sweeper.system.processes import describe, is_here, is_known, is_running, process_started, this_process


def kernels_ticks(pid: int) -> str:
    """As locks have had it ever since: field 22 of /proc/PID/stat, see proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]


on_linux = pytest.mark.skipif(not psutil.LINUX, reason="reads /proc")


@on_linux
def test_a_process_is_known_by_the_kernels_ticks_as_in_locks_of_old(child):
    for pid in (1, os.getpid(), child.pid):
        assert process_started(pid) == kernels_ticks(pid)


@on_linux
@pytest.mark.parametrize("steps", [[3600.0] * 9, [0.0, -7200.0, *[-7200.0] * 9]], ids=["before", "meanwhile"])
def test_setting_the_clock_makes_no_owner_dead(child, monkeypatch, steps):
    """It moves the boot's time since 1970, from which psutil counts."""
    real, left = psutil.boot_time(), iter(steps)
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: real + next(left))
    assert process_started(child.pid) == kernels_ticks(child.pid)


def test_a_process_that_has_ended_is_gone_though_nobody_has_asked_for_its_exit_code(child):
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_started(child.pid) is None
    child.wait()
    assert process_started(child.pid) is None


@pytest.mark.parametrize("pid", [None, "1", 0, -1, 2**31 - 1, 2**70, 1.0, [1]])
def test_nonsense_is_no_process(pid):
    assert process_started(pid) is None


def test_this_process_is_one_of_this_machine_until_it_is_booted_again():
    seen = this_process()
    assert is_here(seen) and seen["process_started"] == process_started(os.getpid())
    assert not is_here(seen | {"host": "elsewhere"}) and not is_here(seen | {"boot": "another"}) and not is_here({})
    assert describe(seen) == f"process {os.getpid()} on host {seen['host']}"


SAY = "import json; from sweeper.system.processes import this_process; print(json.dumps(this_process()))"


def test_process_1_of_another_container_isnt_one_of_here_though_the_host_name_is_the_same():
    in_a_container = ("unshare", "--map-root-user", "--pid", "--fork", "--mount-proc")
    if shutil.which("unshare") is None or subprocess.run([*in_a_container, "true"], check=False).returncode != 0:
        pytest.skip("needs unshare, and the right to number processes anew")
    seen = json.loads(subprocess.check_output([*in_a_container, sys.executable, "-c", SAY]))
    assert seen["pid"] == 1 and seen["host"] == this_process()["host"]
    assert not is_here(seen)


@on_linux
def test_outside_of_containers_the_boot_is_the_kernels_alone_as_in_locks_of_old(monkeypatch):
    monkeypatch.setattr("os.readlink", lambda path: {"/proc/self/ns/pid": "pid:[4026531836]"}[path])
    assert this_process()["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def test_a_number_that_is_another_process_by_now_is_not_the_process_that_had_it(child):
    seen = {**this_process(), "pid": child.pid, "process_started": process_started(child.pid)}
    assert is_running(seen) is True
    assert is_running({**seen, "process_started": "1"}) is False
    assert is_running({**seen, "boot": "another"}) is None and is_running({}) is None
    child.kill()
    child.wait()
    assert is_running(seen) is False


def test_a_process_of_another_user_that_the_machine_hides_is_not_known_to_have_ended(child, monkeypatch):
    """As with `hidepid=2` of /proc: there is nothing of it, yet a signal may not be sent to it."""

    def hidden(pid):
        raise psutil.NoSuchProcess(pid)

    kill = os.kill

    def not_allowed(pid, number):
        if number == 0:
            raise PermissionError(1, "Operation not permitted")
        kill(pid, number)

    seen = {**this_process(), "pid": child.pid, "process_started": process_started(child.pid)}
    assert is_known(seen)
    monkeypatch.setattr("psutil.Process", hidden)
    assert process_started(child.pid) is None and is_known(seen)  # one's own would be seen: it has ended
    monkeypatch.setattr("os.kill", not_allowed)
    assert process_started(child.pid) == "" and not is_known(seen)
