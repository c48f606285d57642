"""Identifies a process of this machine by host, boot, pid and start time."""

import os
import socket
from pathlib import Path
from typing import Any

from sweeper.system.text import shortened

_MACHINES_PROCESSES = "pid:[4026531836]"  # of every Linux outside of containers


def is_here(seen: dict[str, Any]) -> bool:
    """Whether the recorded process belongs to this boot of this machine, and its number is one of this container's."""
    return (seen.get("host"), seen.get("boot")) == (socket.gethostname(), _boot())


def is_running(seen: dict[str, Any]) -> bool | None:
    """Whether the recorded process runs: its number may be another process's by now, which started at another time.

    None where this machine doesn't tell: the process is another machine's or container's, or one that it hides.
    """
    if not is_here(seen) or (started := process_started(seen.get("pid"))) == "":
        return None
    return started is not None and seen.get("process_started") in (started, "")


def is_known(seen: dict[str, Any]) -> bool:
    """Whether this machine tells if the recorded process runs."""
    return is_running(seen) is not None


def describe(seen: dict[str, Any]) -> str:
    return shortened(f"process {seen.get('pid')} on host {seen.get('host')}", 200)


def this_process() -> dict[str, Any]:
    """This process's identity, by which `is_running` finds it later."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": _boot(), "pid": pid, "process_started": process_started(pid)}


def _boot() -> str:
    """The id of this boot; distinguishes machines with the same host name (cloned images).

    In a container with the name of its numbering of processes too: each container has its own process 1, and may have
    the host name of another (`docker run --network host`).
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    try:
        numbering = os.readlink("/proc/self/ns/pid")
    except OSError:
        return boot
    return boot if numbering == _MACHINES_PROCESSES else f"{boot} {numbering}"


def process_started(pid: Any) -> str | None:
    """When the process started; "" if it exists but its start time can't be read; None if it has ended.

    A machine may hide other users' processes (`hidepid` of /proc, see proc(5)), though not that there are some.

    On Linux in kernel ticks since the boot: psutil's time since 1970 changes whenever the clock is set.
    """
    import psutil

    if not isinstance(pid, int) or pid <= 0:
        return None
    try:
        while True:
            boot = psutil.boot_time() if psutil.LINUX else 0.0
            process = psutil.Process(pid)
            started = process.create_time() - boot
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            if not psutil.LINUX:
                return str(started)
            if psutil.boot_time() == boot:  # else the clock was set meanwhile
                return str(round(started * os.sysconf("SC_CLK_TCK")))
    except psutil.AccessDenied:
        return ""
    except (psutil.Error, OverflowError):
        return "" if _is_of_another_user(pid) else None


def _is_of_another_user(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        pass
    return False
