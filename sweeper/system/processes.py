"""Processes of this machine: which are alive, and since when."""

import os
import socket
from pathlib import Path
from typing import Any


def is_here(seen: dict[str, Any]) -> bool:
    """Whether the process seen is or was one of this machine since it was started."""
    return (seen.get("host"), seen.get("boot")) == (socket.gethostname(), _boot())


def describe(seen: dict[str, Any]) -> str:
    return f"process {seen.get('pid')} on host {seen.get('host')}"


def this_process() -> dict[str, Any]:
    """Which process this is, as `is_alive` looks for it later."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": _boot(), "pid": pid, "process_started": process_started(pid)}


def _boot() -> str:
    """Tells this boot of this machine from others of the same host name (containers, cloned images)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def process_started(pid: Any) -> str | None:
    """When the process started; "" where only its being can be told; None if it is gone.

    On Linux in the kernel's ticks since the boot: times since 1970 change whenever the clock is set, and psutil adds
    the boot's.
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
        return None
