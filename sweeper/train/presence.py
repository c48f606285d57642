"""Detects runs that share a device, and measures the device time of a run."""

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import torch

from sweeper.runs.layout import CHECKPOINT_FILES
from sweeper.runs.record import Damaged, read_run
from sweeper.system.files import make_folder, remove_file, write_mark
from sweeper.system.processes import process_started


class Presence:
    """Detects whether other runs of this user use the same device of this machine at the same time.

    While it trains, each process keeps a file named by its id in a folder of the system's temporary folder.
    """

    _here: ClassVar[list["Presence"]] = []  # the runs of this process that are training

    def __init__(self, kind: str) -> None:
        self.others = False
        self._folder = Path(tempfile.gettempdir()) / f"optimizer-sweeper-{os.getuid()}" / _device_key(kind)
        self._file = self._folder / str(os.getpid())

    @classmethod
    def runs_here(cls) -> int:
        """The number of runs that this process trains."""
        return len(cls._here)

    def __enter__(self) -> "Presence":
        with contextlib.suppress(OSError):
            make_folder(self._folder)
            write_mark(self._file, "")
        self._here.append(self)
        self.look()
        return self

    def __exit__(self, *exception: object) -> None:
        self._here.remove(self)
        if not self._here:
            with contextlib.suppress(OSError):
                remove_file(self._file)

    def look(self) -> None:
        if len(self._here) > 1:
            for run in self._here:
                run.others = True
        with contextlib.suppress(OSError):
            for file in self._folder.iterdir():
                if file == self._file:
                    continue
                if process_started(int(file.name) if file.name.isdecimal() else None) is not None:
                    self.others = True
                else:
                    remove_file(file)


class DeviceTime:
    """The device time of a run in seconds since its start, with set-up and evaluation. If n runs share the device, each
    counts 1/n. The count of a killed process is lost."""

    def __init__(self, directory: Path, parallel: int) -> None:
        self.seconds = 0.0
        self._parallel = parallel
        self._last = time.perf_counter()
        with contextlib.suppress(Damaged, TypeError, ValueError):  # a resumed run continues its count
            self.seconds = max(0.0, float(read_run(directory)["environment"].get("device_seconds") or 0))

    def count(self) -> float:
        """Add the time since the last call; returns the total seconds."""
        now = time.perf_counter()
        self.seconds += (now - self._last) / max(self._parallel, Presence.runs_here(), 1)
        self._last = now
        return round(self.seconds, 3)


def shared_before(directory: Path) -> bool | None:
    """Whether other runs used the device before the run's checkpoint; None if unknown, as after a killed process."""
    if not any((directory / name).exists() for name in CHECKPOINT_FILES):
        return False
    try:
        shared = ((read_run(directory) or {})["result"] or {}).get("shared_device")
    except (Damaged, KeyError):
        return None
    return shared if isinstance(shared, bool) else None


def _device_key(kind: str) -> str:
    """The kind of device, with the id of the GPU: runs on different GPUs don't share one."""
    if kind != "cuda":
        return kind
    return f"cuda-{getattr(torch.cuda.get_device_properties(torch.cuda.current_device()), 'uuid', '')}"  # torch 2.5
