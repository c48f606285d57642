"""The file of a running sweep, in the folder of all runs: the runs that it plans. `sweeper.watch` reads it.

A run that hasn't started has no directory yet. `.sweep-<key>.json` records the sweep's process and, for each run, its
directory relative to the folder, its epochs, how many of them were done before the sweep, and whether it is trained
anew; beside these its `labels`, by what varies in the sweep. The start of the sweep is the file's modification time, so
that it compares with other files' times by one clock.
"""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.checks import EPOCHS, TEXT, Damaged
from sweeper.runs.layout import ARMS_FILE, CONFIRMATIONS_FILE, METRICS_FILE, TABLE_FILES
from sweeper.runs.metrics import read_metrics
from sweeper.system.files import read_file, remove_file, remove_leftovers, write_atomically, write_mark
from sweeper.system.limits import NOTE_BYTES, SWEEP_BYTES
from sweeper.system.lock import is_alive
from sweeper.system.processes import is_known, this_process
from sweeper.system.text import shortened

VARIABLE = "SWEEPER_SWEEP"

PATTERN = ".sweep-*.json"
LONG_AGO = 3600.0  # seconds; by then every write of a file and every stop of a sweep has ended


@dataclass(frozen=True)
class Planned:
    """A run of a sweep that was not finished when the sweep began.

    Attributes:
        path: its directory's real path.
        done: epochs that were done before the sweep.
        anew: train from the start, whatever exists.
        label: what distinguishes it in the sweep, e.g. `lr 0.1, seed 1`; "" if nothing does.
    """

    path: str
    epochs: int
    done: int
    anew: bool
    label: str = ""


@dataclass(frozen=True)
class Sweep:
    """A sweep that has a file.

    Attributes:
        began: in seconds since 1970, by the clock of the folder's file system.
        alive: its process is running; where it isn't `known`, this is so in the sweep's first minute only.
        known: its process belongs to this machine, which doesn't hide it.
    """

    path: Path
    began: float
    runs: tuple[Planned, ...]
    alive: bool
    known: bool


def sweep_file(outputs: Path, key: str) -> Path:
    return outputs / PATTERN.replace("*", key)


def write_sweep(
    outputs: Path, key: str, runs: Iterable[tuple[Path, int, bool]], labels: Mapping[Path, str] | None = None
) -> None:
    """Record a sweep that starts.

    Args:
        runs: for each run its directory, its epochs, and whether it is trained anew whatever exists.
        labels: of the runs, by their directories.
    """
    planned = {}
    for directory, epochs, anew in runs:
        done = 0 if anew else len(read_metrics(directory / METRICS_FILE)[0])
        planned[_name(directory, outputs)] = [epochs, done, anew]
    named = {_name(directory, outputs): shortened(label) for directory, label in (labels or {}).items() if label}
    with contextlib.suppress(OSError):  # the sweep doesn't depend on it
        content = {**this_process(), "runs": planned, "labels": named}
        write_atomically(sweep_file(outputs, key), json.dumps(content).encode())


def _name(directory: Path, outputs: Path) -> str:
    return Path(os.path.relpath(directory, outputs)).as_posix()


def tidy_folder(outputs: Path) -> None:
    """Remove what killed commands left in the folder of all runs."""
    now = time.time()
    with contextlib.suppress(OSError):
        for sweep in read_sweeps(outputs):
            if not sweep.alive and (sweep.known or now - sweep.began > 24 * LONG_AGO):
                key = sweep.path.name.removeprefix(".sweep-").removesuffix(".json")
                SweepStop(stop_file(outputs, key)).remove_files()
                remove_file(sweep.path)
        own = {path.name.rpartition("-")[0].removeprefix(".") for path in outputs.glob(f".{PATTERN}-*")}
        remove_leftovers(
            outputs, {*TABLE_FILES, ARMS_FILE, CONFIRMATIONS_FILE, "skip", "stop", "writable", *own}, LONG_AGO
        )


def remove_sweep(outputs: Path, key: str) -> None:
    with contextlib.suppress(OSError):
        remove_file(sweep_file(outputs, key))


def read_sweeps(outputs: Path) -> list[Sweep]:
    """The sweeps recorded in a folder, earliest first; unreadable files are skipped."""
    found = []
    with contextlib.suppress(OSError):
        for path in outputs.glob(PATTERN):
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError, Damaged):
                found.append(_read(path))
    return sorted(found, key=lambda sweep: (sweep.began, sweep.path))


def _read(path: Path) -> Sweep:
    content = _dictionary(json.loads(read_file(path, SWEEP_BYTES)))
    began = path.stat().st_mtime
    folder = os.path.realpath(path.parent)
    labels = _dictionary(content.get("labels", {}))  # of a former version none
    runs = []
    for name, (epochs, done, anew) in _dictionary(content["runs"]).items():
        if not all(EPOCHS.fits(n) for n in (epochs, done)) or "\0" in name:
            raise ValueError(name)
        run, label = os.path.normpath(os.path.join(folder, name)), TEXT.check("label", labels.get(name)) or ""
        runs.append(Planned(run, epochs, min(done, epochs), anew is True, label))
    return Sweep(path, began, tuple(runs), is_alive(path, content, wait=False), is_known(content))


def _dictionary(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def stop_file(outputs: Path, key: str) -> Path:
    return outputs / f".stop-{key}"


class SweepStop:
    """A file in the outputs folder: while it exists, no run of this sweep starts, and running ones stop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._looked = 0.0
        self._there = False
        self._ended = False

    @staticmethod
    def begin(outputs: Path) -> "SweepStop":
        """Start a new sweep. This process's children and all workers that get its environment belong to it."""
        os.environ[VARIABLE] = str(stop_file(outputs, uuid.uuid4().hex[:12]).resolve())
        return SweepStop(Path(os.environ[VARIABLE]))

    @staticmethod
    def current() -> "SweepStop | None":
        """The sweep that this process belongs to; None for a single run."""
        return SweepStop(Path(os.environ[VARIABLE])) if os.environ.get(VARIABLE) else None

    def request(self, why: str) -> None:
        if not self._ended:  # else nobody would remove the file
            with contextlib.suppress(OSError):
                write_mark(self.path, why)

    def reason(self) -> str | None:
        try:
            return read_file(self.path, NOTE_BYTES).decode()
        except (OSError, ValueError):
            return None

    def requested(self) -> bool:
        """Whether the sweep must stop. Checks the disk at most twice a second."""
        if not self._there and time.monotonic() - self._looked > 0.5:
            self._looked = time.monotonic()
            self._there = self.path.exists()
        return self._there

    def list_to_skip(self, number: str) -> Path:
        """The file that lists the runs to skip in a launch of this sweep."""
        return self.path.with_name(f".skip-{self.key}_{number}")

    def lists(self) -> Iterable[Path]:
        """All files that list runs to skip."""
        return self.path.parent.glob(f".skip-{self.key}_*")

    @property
    def key(self) -> str:
        """The sweep's id."""
        return self.path.name.removeprefix(".stop-")

    def end(self) -> None:
        self._ended = True
        with contextlib.suppress(OSError):
            self.remove_files()
        os.environ.pop(VARIABLE, None)

    def remove_files(self) -> None:
        for path in (*self.lists(), self.path):
            remove_file(path)
