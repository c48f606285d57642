"""A sweep's own file, in the folder of all runs while it is carried out: which runs it will do.

A run that hasn't begun has no directory yet, and no launcher tells the others' plans; so `sweeper.watch` reads them
here. `.sweep-<key>.json` holds the process that carries it out and, for each run, its directory as seen from the
folder, its epochs, how many of them were done before, and whether it is trained anew. When it began is the file's own
time, so that it is compared with other files' times by one clock.
"""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.layout import METRICS_FILE, TABLE_FILES
from sweeper.runs.metrics import read_metrics
from sweeper.system.files import remove_file, remove_leftovers, write_atomically, write_mark
from sweeper.system.lock import is_alive
from sweeper.system.processes import is_here, this_process

VARIABLE = "SWEEPER_SWEEP"

PATTERN = ".sweep-*.json"
MOST_BYTES = 2**26
LONG_AGO = 3600.0  # seconds in which every writing of a file, and every stopping of a sweep, has come to its end


@dataclass(frozen=True)
class Planned:
    """A run of a sweep that was not finished when the sweep began.

    Attributes:
        path: its directory's real path.
        done: epochs that were done before.
        anew: it is trained again although it may be finished.
    """

    path: str
    epochs: int
    done: int
    anew: bool


@dataclass(frozen=True)
class Sweep:
    """A sweep that is told of.

    Attributes:
        began: in seconds since 1970, by the clock of the folder's file system.
        alive: its process is at work; of one on another machine that is known for its first minute only.
        here: its process is or was one of this machine.
    """

    path: Path
    began: float
    runs: tuple[Planned, ...]
    alive: bool
    here: bool


def sweep_file(outputs: Path, key: str) -> Path:
    return outputs / PATTERN.replace("*", key)


def write_sweep(outputs: Path, key: str, runs: Iterable[tuple[Path, int, bool]]) -> None:
    """Tell of a sweep that begins.

    Args:
        runs: directory, epochs, and whether it begins anew whatever is there.
    """
    planned = {
        Path(os.path.relpath(directory, outputs)).as_posix(): [
            epochs,
            0 if anew else len(read_metrics(directory / METRICS_FILE)[0]),
            anew,
        ]
        for directory, epochs, anew in runs
    }
    with contextlib.suppress(OSError):  # a sweep does without
        write_atomically(sweep_file(outputs, key), json.dumps({**this_process(), "runs": planned}).encode())


def tidy_folder(outputs: Path) -> None:
    """Remove what commands that were killed have left in the folder of all runs."""
    now = time.time()
    with contextlib.suppress(OSError):
        for sweep in read_sweeps(outputs):
            if not sweep.alive and (sweep.here or now - sweep.began > 24 * LONG_AGO):
                key = sweep.path.name.removeprefix(".sweep-").removesuffix(".json")
                remove_file(stop_file(outputs, key))
                remove_file(sweep.path)
        own = {path.name.rpartition("-")[0].removeprefix(".") for path in outputs.glob(f".{PATTERN}-*")}
        remove_leftovers(outputs, {*TABLE_FILES, "stop", "writable", *own}, LONG_AGO)


def remove_sweep(outputs: Path, key: str) -> None:
    with contextlib.suppress(OSError):
        remove_file(sweep_file(outputs, key))


def read_sweeps(outputs: Path) -> list[Sweep]:
    """The sweeps that are told of in a folder, the earliest first; files that can't be read are passed over."""
    found = []
    with contextlib.suppress(OSError):
        for path in outputs.glob(PATTERN):
            with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
                found.append(_read(path))
    return sorted(found, key=lambda sweep: (sweep.began, sweep.path))


def _read(path: Path) -> Sweep:
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise ValueError(path)
    content: Any = json.loads(path.read_bytes())
    began = path.stat().st_mtime
    folder = os.path.realpath(path.parent)
    runs = []
    for name, (epochs, done, anew) in _dictionary(_dictionary(content)["runs"]).items():
        if not all(isinstance(n, int) and 0 <= n < 2**31 for n in (epochs, done)) or "\0" in name:
            raise ValueError(name)
        runs.append(Planned(os.path.normpath(os.path.join(folder, name)), epochs, min(done, epochs), anew is True))
    return Sweep(path, began, tuple(runs), is_alive(path, content, wait=False), is_here(content))


def _dictionary(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def stop_file(outputs: Path, key: str) -> Path:
    return outputs / f".stop-{key}"


class SweepStop:
    """A file in the outputs folder: while it is there, no run of this sweep starts and those at work stop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._looked = 0.0
        self._there = False

    @staticmethod
    def begin(outputs: Path) -> "SweepStop":
        """A new sweep; children of this process, and workers that get its environment, belong to it."""
        os.environ[VARIABLE] = str(stop_file(outputs, uuid.uuid4().hex[:12]).resolve())
        return SweepStop(Path(os.environ[VARIABLE]))

    @staticmethod
    def current() -> "SweepStop | None":
        """The sweep that this process works for; None in a single run."""
        return SweepStop(Path(os.environ[VARIABLE])) if os.environ.get(VARIABLE) else None

    def request(self, why: str) -> None:
        with contextlib.suppress(OSError):
            write_mark(self.path, why)

    def reason(self) -> str | None:
        try:
            return self.path.read_text()
        except OSError:
            return None

    def requested(self) -> bool:
        """Looks at the disk twice a second at most."""
        if not self._there and time.monotonic() - self._looked > 0.5:
            self._looked = time.monotonic()
            self._there = self.path.exists()
        return self._there

    @property
    def key(self) -> str:
        """Tells this sweep from others."""
        return self.path.name.removeprefix(".stop-")

    def end(self) -> None:
        with contextlib.suppress(OSError):
            remove_file(self.path)
        os.environ.pop(VARIABLE, None)
