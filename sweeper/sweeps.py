"""A sweep's own file, in the folder of all runs while it is carried out: which runs it will do.

A run that hasn't begun has no directory yet, and no launcher tells the others' plans; so `sweeper.watch` reads them
here. `.sweep-<key>.json` holds the process that carries it out and, for each run, its directory as seen from the
folder, its epochs, how many of them were done before, and whether it is trained anew. When it began is the file's own
time, so that it is compared with other files' times by one clock.
"""

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.files import write_atomically
from sweeper.lock import is_alive, this_process
from sweeper.metrics import read_metrics
from sweeper.runs import METRICS_FILE

PATTERN = ".sweep-*.json"
MOST_BYTES = 2**26


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
    """`began` is in seconds since 1970, by the clock of the folder's file system; `alive`: its process is at work."""

    path: Path
    began: float
    runs: tuple[Planned, ...]
    alive: bool


def sweep_file(outputs: Path, key: str) -> Path:
    return outputs / PATTERN.replace("*", key)


def write_sweep(outputs: Path, key: str, runs: Iterable[tuple[Path, int, bool]]) -> None:
    """Tell of a sweep that begins; those whose process ended without a word are forgotten.

    Args:
        runs: directory, epochs, and whether it begins anew whatever is there.
    """
    for sweep in read_sweeps(outputs):
        if not sweep.alive:
            sweep.path.unlink(missing_ok=True)
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


def remove_sweep(outputs: Path, key: str) -> None:
    with contextlib.suppress(OSError):
        sweep_file(outputs, key).unlink(missing_ok=True)


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
    return Sweep(path, began, tuple(runs), is_alive(path, content, wait=False))


def _dictionary(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value
