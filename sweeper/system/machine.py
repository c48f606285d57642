"""The CPU cores and the memory that this process may use: the machine's, or less in a container or a cluster's job.

Docker, Kubernetes, Slurm and systemd set such limits by Linux control groups, version 2, version 1 or both
(https://docs.kernel.org/admin-guide/cgroup-v2.html, .../cgroup-v1/memory.html). The limits of a process are those of
its own group and of the groups above it. psutil reports the machine's memory and ignores these limits.
"""

import ctypes
import math
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DEVICE_KINDS = ("auto", "cuda", "mps", "cpu")
PROCESS_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
# The files of the limit and of the usage, and the prefix of the names in memory.stat; two for version 2, one for
# version 1. Above memory.high (systemd's MemoryHigh) the kernel kills no process but slows all of the group down.
MEMORY_FILES = (
    ("memory.max", "memory.current", ""),
    ("memory.high", "memory.current", ""),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
)
PAGE_CACHE = ("inactive_file", "active_file")  # in memory.stat: what the kernel frees when memory is short


class Memory(NamedTuple):
    """Bytes that this process may use in total, and how many of them are free or can be freed."""

    total: int
    available: int


def cores() -> int:
    """The number of CPU cores this process may use, at least one: limited by affinity and by the CPU quota."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([mine, *(math.ceil(share) for share in _cpu_shares())]))


def memory() -> Memory:
    """The memory of the machine or of the process's control groups, whichever is less."""
    import psutil

    machine = psutil.virtual_memory()
    found = [Memory(machine.total, machine.available), *_memory_of_groups(machine.total)]
    return Memory(min(m.total for m in found), min(m.available for m in found))


def _cpu_shares() -> Iterator[float]:
    """The CPU seconds per second that each control group grants."""
    for folder in _groups("cpu"):
        quota, _, period = _read(folder / "cpu.max").partition(" ")  # "max 100000" where there is no limit
        if not quota:
            quota, period = (_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        if quota.isdigit() and period.isdigit() and int(quota) and int(period):  # -1 is no limit in version 1
            yield int(quota) / int(period)


def _memory_of_groups(machine: int) -> Iterator[Memory]:
    """The groups' limits that are below the machine's memory; no limit is a huge number in version 1, `max` in 2."""
    for folder in _groups("memory"):
        for limit_file, used_file, prefix in MEMORY_FILES:
            limit, used = _read(folder / limit_file), _read(folder / used_file)
            if limit.isdigit() and int(limit) < machine:
                stat = dict(line.split(" ", 1) for line in _read(folder / "memory.stat").splitlines())
                freeable = sum(int(stat.get(prefix + name, 0)) for name in PAGE_CACHE)
                kept = max(0, int(used) - freeable) if used.isdigit() else 0
                yield Memory(int(limit), max(0, int(limit) - kept))


def _groups(controller: str) -> Iterator[Path]:
    """The folders of this process's control groups and of those above, whether they exist or not. A container sees
    its own group as the root."""
    for line in _read(PROCESS_GROUPS).splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            roots = {GROUPS, GROUPS / "unified"}  # where systemd mounts version 2 beside version 1
        elif controller in controllers.split(","):
            roots = {GROUPS / controllers, GROUPS / controller}
        else:
            continue
        for root in roots:
            own = root / name.strip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))


def _read(file: Path) -> str:
    """The file's text; empty if it doesn't exist or can't be read."""
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return ""


def probe_kind() -> str:
    """The kind of device that `device=auto` will probably choose; takes milliseconds and needs no torch."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu" if _cuda() is None else "cuda"


def gpu_name() -> str | None:
    """The name of the first visible NVIDIA GPU as its driver and torch call it; None without one. Needs no torch."""
    if (driver := _cuda()) is None:
        return None
    device, name = ctypes.c_int(0), ctypes.create_string_buffer(256)
    if driver.cuDeviceGet(ctypes.byref(device), 0) != 0 or driver.cuDeviceGetName(name, len(name), device) != 0:
        return None
    return name.value.decode(errors="replace")


def _cuda() -> ctypes.CDLL | None:
    """NVIDIA's driver, initialized; None without one or without a visible GPU."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0:
            return driver
    except OSError:
        pass
    return None


def likely_kind(asked: str) -> str:
    """The requested kind of device, with `auto` replaced by the result of `probe_kind`."""
    return probe_kind() if asked == "auto" else asked


def parallel_runs(kind: str, threads: int | None) -> int:
    """How many runs train at a time on a device of this kind: cores ÷ threads on the CPU, one on a GPU."""
    return max(1, cores() // (threads or 1)) if likely_kind(kind) == "cpu" else 1
