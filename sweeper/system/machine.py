"""How many cores and how much memory this process may use: the machine's, or less in a container or a cluster's job.

Docker, Kubernetes, Slurm and systemd set such limits by Linux's control groups, of which a kernel offers version 2,
version 1 or both (https://docs.kernel.org/admin-guide/cgroup-v2.html, .../cgroup-v1/memory.html). Only a process's
own group and those above it count. What the machine has is told by psutil, which doesn't know them.
"""

import ctypes
import math
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROCESS_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
# Of version 2 and of version 1: files of the limit and of what is used, and how memory.stat's names begin. Above
# memory.high, which is systemd's MemoryHigh, no process is killed, but all are slowed down until they have freed some.
MEMORY_FILES = (
    ("memory.max", "memory.current", ""),
    ("memory.high", "memory.current", ""),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
)
PAGE_CACHE = ("inactive_file", "active_file")  # of memory.stat: what is given back when memory runs short


class Memory(NamedTuple):
    """Bytes that this process may use: in all, and of these what is free or can be freed."""

    total: int
    available: int


def cores() -> int:
    """CPU cores this process may use: of those it may run on, as many as its time on them fills, at least one."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([mine, *(math.ceil(share) for share in _cpu_shares())]))


def memory() -> Memory:
    """The machine's memory, or its group's where that is less."""
    import psutil

    machine = psutil.virtual_memory()
    found = [Memory(machine.total, machine.available), *_memory_of_groups(machine.total)]
    return Memory(min(m.total for m in found), min(m.available for m in found))


def _cpu_shares() -> Iterator[float]:
    """CPU seconds a second that each group grants."""
    for folder in _groups("cpu"):
        quota, _, period = _read(folder / "cpu.max").partition(" ")  # "max 100000" where there is no limit
        if not quota:
            quota, period = (_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit() and int(quota) and int(period):  # version 1 tells no limit by -1
            yield int(quota) / int(period)


def _memory_of_groups(machine: int) -> Iterator[Memory]:
    """Limits below what the machine has: version 1 tells no limit by a huge number, version 2 by a word."""
    for folder in _groups("memory"):
        for limit_file, used_file, prefix in MEMORY_FILES:
            limit, used = _read(folder / limit_file), _read(folder / used_file)
            if limit.isdigit() and int(limit) < machine:
                stat = dict(line.split(" ", 1) for line in _read(folder / "memory.stat").splitlines())
                freeable = sum(int(stat.get(prefix + name, 0)) for name in PAGE_CACHE)
                kept = max(0, int(used) - freeable) if used.isdigit() else 0
                yield Memory(int(limit), max(0, int(limit) - kept))


def _groups(controller: str) -> Iterator[Path]:
    """Folders, there or not, of this process's groups and of all above; in a container its own is the uppermost that
    it sees."""
    for line in _read(PROCESS_GROUPS).splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            roots = {GROUPS, GROUPS / "unified"}  # beside version 1, systemd has version 2 there
        elif controller in controllers.split(","):
            roots = {GROUPS / controllers, GROUPS / controller}
        else:
            continue
        for root in roots:
            own = root / name.strip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))


def _read(file: Path) -> str:
    """What it says; nothing where it isn't there or may not be read."""
    try:
        return file.read_text(errors="surrogateescape").strip()
    except OSError:
        return ""


def probe_kind() -> str:
    """The kind that `device=auto` will probably be, told in milliseconds and without torch."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps"
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0:
            return "cuda"
    except OSError:
        pass
    return "cpu"


def likely_kind(asked: str) -> str:
    """The kind that a run asks for, in place of `auto` the one that `probe_kind` tells."""
    return probe_kind() if asked == "auto" else asked


def parallel_runs(kind: str, threads: int | None) -> int:
    """How many runs the device serves at a time: on the CPU cores ÷ threads, one GPU serves one."""
    return max(1, cores() // (threads or 1)) if likely_kind(kind) == "cpu" else 1
