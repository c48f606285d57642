"""What a process may use, in made trees of Linux's control groups of both versions."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from sweeper.system import machine as limits

GIB = 2**30


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes this process's groups, and files below /sys/fs/cgroup; the machine has 64 cores and 256 GiB."""

    def write(own: str, files: dict[str, str]) -> None:
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            file = tmp_path / "groups" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    monkeypatch.setattr(limits, "PROCESS_GROUPS", tmp_path / "own")
    monkeypatch.setattr(limits, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=256 * GIB, available=200 * GIB))
    return write


def test_a_machine_without_groups_serves_whole(groups):
    assert limits.cores() == 64 and limits.memory() == (256 * GIB, 200 * GIB)


def test_groups_without_a_limit_change_nothing(groups):
    groups("0::/\n", {"cpu.max": "max 100000\n", "memory.max": "max\n", "memory.current": "5\n"})
    assert limits.cores() == 64 and limits.memory() == (256 * GIB, 200 * GIB)
    groups(
        "4:memory:/\n1:cpu,cpuacct:/\n",
        {
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/memory.usage_in_bytes": "5\n",
        },
    )
    assert limits.cores() == 64 and limits.memory() == (256 * GIB, 200 * GIB)


def test_a_container_by_version_2(groups):
    stat = f"anon {GIB}\nactive_file {GIB}\ninactive_file {GIB}\n"
    files = {"cpu.max": "150000 100000\n", "memory.max": f"{8 * GIB}\n", "memory.current": f"{3 * GIB}\n"}
    groups("0::/\n", {**files, "memory.stat": stat})
    assert limits.cores() == 2  # a core and a half keep two threads busy
    assert limits.memory() == (8 * GIB, 7 * GIB)  # 2 of the 3 GiB in use are files that can be read again


def test_a_job_of_a_cluster_below_a_group_with_less(groups):
    groups(
        "0::/slurm/job_7/step_0\n",
        {
            "slurm/cpu.max": "800000 100000\n",
            "slurm/job_7/cpu.max": "400000 100000\n",
            "slurm/job_7/step_0/cpu.max": "max 100000\n",
            "slurm/memory.max": f"{16 * GIB}\n",
            "slurm/memory.current": f"{15 * GIB}\n",
            "slurm/job_7/memory.max": f"{32 * GIB}\n",
            "slurm/job_7/memory.current": f"{GIB}\n",
            "another/cpu.max": "100000 100000\n",
        },
    )
    assert limits.cores() == 4 and limits.memory() == (16 * GIB, GIB)


def test_a_container_by_version_1(groups):
    groups(
        "12:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n",
        {
            # As a container sees it: its own group in the place of the root, by a name that isn't there.
            "cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
            "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "memory/memory.limit_in_bytes": f"{4 * GIB}\n",
            "memory/memory.usage_in_bytes": f"{3 * GIB}\n",
            "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\ntotal_active_file {GIB}\n",
        },
    )
    assert limits.cores() == 3 and limits.memory() == (4 * GIB, 3 * GIB)


def test_a_thousandth_of_a_core_is_one_core_and_memory_over_the_limit_is_none(groups):
    groups("0::/\n", {"cpu.max": "1000 1000000", "memory.max": f"{GIB}", "memory.current": f"{2 * GIB}"})
    assert limits.cores() == 1 and limits.memory() == (GIB, 0)


def test_fewer_cores_by_affinity_than_by_the_limit(groups, monkeypatch):
    groups("0::/\n", {"cpu.max": "800000 100000\n"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    assert limits.cores() == 2


def test_a_service_is_slowed_down_above_memory_high(groups):
    files = {"memory.max": "max\n", "memory.high": f"{6 * GIB}\n", "memory.current": f"{2 * GIB}\n"}
    groups("0::/system.slice/a.service\n", {f"system.slice/a.service/{name}": text for name, text in files.items()})
    assert limits.memory() == (6 * GIB, 4 * GIB)


def test_version_2_beside_version_1(groups):
    groups("5:cpu:/job\n0::/job\n", {"cpu/job/cpu.cfs_quota_us": "-1\n", "unified/job/memory.max": f"{GIB}\n"})
    assert limits.cores() == 64 and limits.memory() == (GIB, GIB)


def test_groups_that_may_not_be_read_change_nothing(groups, monkeypatch):
    groups("0::/job\n", {"cpu.max": "200000 100000\n", "job/cpu.max": "100000 100000\n", "job/memory.max": f"{GIB}\n"})
    for name in ("stat", "open"):  # by these the file system is asked, as Path.is_dir and Path.read_text do
        monkeypatch.setattr(Path, name, refusing(getattr(Path, name)))
    assert limits.cores() == 2 and limits.memory() == (256 * GIB, 200 * GIB)


def refusing(ask):
    def refuse(file, *arguments, **options):
        if "job" in file.parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return ask(file, *arguments, **options)

    return refuse


def test_a_gpu_is_named_by_its_driver_and_without_one_there_is_no_name(monkeypatch):
    def write_name(name, size, device):
        name.value = b"NVIDIA T4"
        return errors.pop()

    errors = [1, 0]
    driver = SimpleNamespace(cuDeviceGet=lambda device, number: 0, cuDeviceGetName=write_name)
    monkeypatch.setattr(limits, "_cuda", lambda: driver)
    assert limits.gpu_name() == "NVIDIA T4"
    assert limits.gpu_name() is None  # the driver reports an error
    monkeypatch.setattr(limits, "_cuda", lambda: None)
    assert limits.gpu_name() is None
