"""Detects runs that share a device, and measures the device time of a run."""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any, ClassVar

import torch

from sweeper.runs.checks import SECONDS, Damaged
from sweeper.runs.layout import CHECKPOINT_FILES
from sweeper.system.files import make_folder, read_file, remove_file, shared_temporary_folder, write_mark
from sweeper.system.limits import NOTE_BYTES
from sweeper.system.processes import is_running, this_process


class Presence:
    """Detects whether other runs of this user use the same device of this machine at the same time.

    While it trains, each process keeps a file named by its id in a folder of the system's temporary folder. The file
    says when the process started, since its id may be another process's later.

    Attributes:
        others: whether there was another; None if the folder can't be used, so that there may have been.
    """

    _here: ClassVar[list["Presence"]] = []  # the runs of this process that are training

    def __init__(self, kind: str) -> None:
        self.others: bool | None = False
        self._file: Path | None = None
        try:
            self._file = shared_temporary_folder() / _device_key(kind) / str(os.getpid())
        except OSError:
            self.others = None

    @classmethod
    def runs_here(cls) -> int:
        """The number of runs that this process trains."""
        return len(cls._here)

    def __enter__(self) -> "Presence":
        if self._file is not None:
            try:
                make_folder(self._file.parent)
                write_mark(self._file, json.dumps(this_process()))
            except OSError:
                self.others = None  # nor do they see this one
        self._here.append(self)
        self.look()
        return self

    def __exit__(self, *exception: object) -> None:
        self.look()  # however the training ends: it may go on later
        self._here.remove(self)
        if not self._here and self._file is not None:
            with contextlib.suppress(OSError):
                remove_file(self._file)

    def look(self) -> None:
        if len(self._here) > 1:
            for run in self._here:
                run.others = True
        if self._file is not None and not self.others:
            try:
                self.others = _others(self._file) or self.others
            except OSError:
                self.others = None


def is_used_by_others(kind: str) -> bool:
    """Whether runs of other processes of this user use this device of this machine now."""
    try:
        return _others(shared_temporary_folder() / _device_key(kind) / str(os.getpid()))
    except OSError:
        return False


def _others(own: Path) -> bool:
    """Whether a process that runs has a file beside this one; files of those that have ended are removed.

    What this machine can't tell, as of another container's process, is neither counted nor removed.

    Raises:
        OSError: the folder can't be read.
    """
    found = False
    for file in own.parent.iterdir():
        if file == own:
            continue
        running = is_running(_read(file))
        if running:
            found = True
        elif running is False:
            with contextlib.suppress(OSError):
                remove_file(file)
    return found


def _read(file: Path) -> dict[str, Any]:
    """The process that a file tells of; empty where it can't be read, e.g. since it is being written."""
    try:
        content = json.loads(read_file(file, NOTE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


class DeviceTime:
    """Measures a run's device time in seconds since its start, with set-up and evaluation. If n runs share the device,
    each counts 1/n of the time. The time of a killed process is lost."""

    def __init__(self, record: dict[str, Any] | None, parallel: int) -> None:
        self.seconds = 0.0
        self._parallel = parallel
        self._last = time.perf_counter()
        with contextlib.suppress(Damaged):  # a resumed run continues its count
            before = (record or {"environment": {}})["environment"].get("device_seconds")
            self.seconds = float(SECONDS.check("environment.device_seconds", before) or 0)

    @property
    def sharing(self) -> int:
        """How many runs share the device."""
        return max(self._parallel, Presence.runs_here(), 1)

    def count(self) -> float:
        """Add the time since the last call; returns the total seconds."""
        now = time.perf_counter()
        self.seconds += (now - self._last) / self.sharing
        self._last = now
        return round(self.seconds, 3)


def shared_before(directory: Path, record: dict[str, Any] | None) -> bool | None:
    """Whether other runs used the device before the run's checkpoint was written, by the run's record. None if unknown,
    e.g. because the process was killed."""
    if not any((directory / name).exists() for name in CHECKPOINT_FILES):
        return False
    shared = ((record or {}).get("result") or {}).get("shared_device")
    return shared if isinstance(shared, bool) else None


def _device_key(kind: str) -> str:
    """The device's kind, and on CUDA the GPU's id, since runs on different GPUs don't share a device."""
    if kind != "cuda":
        return kind
    return f"cuda-{getattr(torch.cuda.get_device_properties(torch.cuda.current_device()), 'uuid', '')}"  # torch 2.5
