"""What `run.json` tells of a run beside its configuration: where it was made, and what came of it."""

import contextlib
import os
import platform
import socket
import subprocess
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

import torch

from sweeper import __version__
from sweeper.data import Data
from sweeper.devices import Device, peak_memory_bytes
from sweeper.files import make_folder, relative, remove_file, write_mark
from sweeper.lock import process_started
from sweeper.metrics import figures
from sweeper.numerics import carry_over, describe
from sweeper.runs import CHECKPOINT_FILES, Damaged, read_run


def describe_environment(
    config: dict[str, Any], directory: Path, device: Device, data: Data, overrides: list[str]
) -> dict[str, Any]:
    """Versions, device and data of a run, and the command that repeats it."""
    root, numerics = config["dataset"]["root"], describe(device)
    versions = {"sweeper": __version__, "python": platform.python_version(), "torch": torch.__version__}
    for name in ("torchvision", "hydra-core", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    environment = {
        "versions": versions,
        **{name: numerics.pop(name) for name in ("device", "device_name", "precision", "threads")},
        "commit": _commit(),  # of the clone that sweeper ran from; elsewhere SWEEPER_COMMIT, or null
        "data_digest": data.digest,  # SHA-256 of all images and labels, however they were stored
        "data_form": data.form.removesuffix(root) + relative(root, directory) if root else data.form,
        "image_shape": list(data.image_shape),
        "num_classes": len(data.classes),
        "host": socket.gethostname() if config["record_host"] else None,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),  # UTC; begun or resumed
        "overrides": overrides,  # the words that give this run again
        **numerics,
    }
    carry_over(environment, directory)
    return environment


def summarize_rows(
    rows: list[dict[str, Any]], config: dict[str, Any], environment: dict[str, Any], status: str, shared: bool | None
) -> dict[str, Any]:
    """A run's result: its rows' figures and what is known of its device."""
    return {
        **figures(rows, config["target_accuracy"], status),
        "peak_memory_bytes": peak_memory_bytes(environment["device"]) if "device" in environment else None,
        "shared_device": shared,
    }


def _commit() -> str | None:
    """The commit of the clone that sweeper runs from, with `-dirty` where files differ from it.

    Where there is no clone, as in a container, what the variable SWEEPER_COMMIT says; None without it.
    """
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return os.environ.get("SWEEPER_COMMIT") or None
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


class Presence:
    """Tells whether other runs of this user used the same device of this machine at the same time.

    Each process lays a file of its id into a folder of the system's temporary one while it trains.
    """

    _here: ClassVar[list["Presence"]] = []  # this process's runs at work

    def __init__(self, kind: str) -> None:
        self.others = False
        self._folder = Path(tempfile.gettempdir()) / f"optimizer-sweeper-{os.getuid()}" / _device_key(kind)
        self._file = self._folder / str(os.getpid())

    @classmethod
    def runs_here(cls) -> int:
        """How many runs this process has at work."""
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
    """Seconds of its device that a run has cost from its beginning on, set-up and evaluation included: of a second in
    which n runs share the device each counts 1/n. What a process killed without warning had counted is lost."""

    def __init__(self, directory: Path, parallel: int) -> None:
        self.seconds = 0.0
        self._parallel = parallel
        self._last = time.perf_counter()
        with contextlib.suppress(Damaged, TypeError, ValueError):  # a run that goes on has counted already
            self.seconds = max(0.0, float(read_run(directory)["environment"].get("device_seconds") or 0))

    def count(self) -> float:
        """Take in the time since the last call. Returns the seconds in all."""
        now = time.perf_counter()
        self.seconds += (now - self._last) / max(self._parallel, Presence.runs_here(), 1)
        self._last = now
        return round(self.seconds, 3)


def shared_before(directory: Path) -> bool | None:
    """Whether what a run's checkpoint holds was trained while other runs used the device; None isn't known, as of a
    process that was killed without warning."""
    if not any((directory / name).exists() for name in CHECKPOINT_FILES):
        return False
    try:
        shared = ((read_run(directory) or {})["result"] or {}).get("shared_device")
    except (Damaged, KeyError):
        return None
    return shared if isinstance(shared, bool) else None


def _device_key(kind: str) -> str:
    """The kind, and of several GPUs which one: runs on two of them share nothing."""
    if kind != "cuda":
        return kind
    return f"cuda-{getattr(torch.cuda.get_device_properties(torch.cuda.current_device()), 'uuid', '')}"  # torch 2.5
