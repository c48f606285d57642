"""A sweep as a user starts it, `python -m sweeper.train …`, watched from outside: when which run's epoch was done."""

import contextlib
import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from sweeper.system.errors import BadInput

REPOSITORY = Path(__file__).resolve().parent.parent
LOOK_EVERY = 0.005  # seconds
# Evaluation after each epoch belongs to what is timed; files that the figures aren't about do not.
QUIET = ("save_model=false", "checkpoint_every=100000", "record_host=false")


class Failed(Exception):
    """A process that was to be timed failed or took too long; says why in one line."""


@dataclass
class TimedRun:
    """One run: its rows, when each was written, in seconds since the sweep's process was started, and its record."""

    ends: list[float] = field(default_factory=list)
    rows: list[dict[str, str]] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Of a training epoch."""
        return round(float(self.rows[0]["train_seconds"]) * float(self.rows[0]["images_per_second"]))

    @property
    def train_seconds(self) -> float:
        """Of a training epoch by the run's own clock, without evaluation; median, the first left out."""
        return statistics.median(float(row["train_seconds"]) for row in self.rows[1:])

    @property
    def epoch_seconds(self) -> float:
        """From one epoch's end to the next, evaluation included; median."""
        return statistics.median(np.diff(self.ends))

    @property
    def began(self) -> float:
        """When its set-up was done: its first epoch's end less a later epoch, or less the first where it was faster."""
        faster = max(0.0, self.train_seconds - float(self.rows[0]["train_seconds"]))
        return self.ends[0] - (self.epoch_seconds - faster)


def time_sweep(
    overrides: list[str], limit_s: float, variables: Mapping[str, str] = MappingProxyType({})
) -> tuple[list[TimedRun], float]:
    """Run it in a temporary folder with these environment variables. Returns its runs by the time of their first
    epoch, and the command's seconds.

    Raises:
        BadInput: the command refuses a word.
        Failed: the command failed, or took longer than `limit_s`.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        outputs = Path(folder) / "outputs"
        command = [sys.executable, "-m", "sweeper.train", *QUIET, *overrides, f"outputs={outputs}"]
        began, began_clock = time.time(), time.perf_counter()
        with log.open("wb") as file, started(command, variables, stdout=file, stderr=file) as process:
            runs: dict[Path, TimedRun] = {}
            seen: dict[Path, int] = {}
            while True:
                over = process.poll() is not None  # asked first: what was written before the end is then read
                look(outputs, runs, seen, began)
                if over:
                    break
                if time.perf_counter() - began_clock > limit_s:
                    raise Failed(f"stopped after {limit_s:.0f} s: {end_of(log)}")
                time.sleep(LOOK_EVERY)
            seconds = time.perf_counter() - began_clock
        check_words(process.returncode, log)
        for path, run in runs.items():
            run.record = json.loads((path.parent / "run.json").read_text(encoding="utf-8"))
        bad = [run.record["error"] for run in runs.values() if run.record["status"] != "completed"]
        if process.returncode != 0 or bad or not runs:
            raise Failed(f"exit code {process.returncode}: {bad[0] if bad else end_of(log)}")
    return sorted(runs.values(), key=lambda run: run.ends[0]), seconds


def gains_by_trial(overrides: list[str], limit_s: float) -> dict[int, float]:
    """Begin a sweep with lanes=auto, with no gains on disk, and stop it when its trial has ended.

    Raises:
        BadInput: the command refuses a word.
        Failed: the command ended before, or the trial took longer than `limit_s`.
    """
    with tempfile.TemporaryDirectory() as folder:
        log, caches = Path(folder) / "log", Path(folder) / "caches"
        command = [sys.executable, "-m", "sweeper.train", *QUIET, *overrides, f"outputs={folder}/outputs"]
        began = time.perf_counter()
        with (
            log.open("wb") as file,
            started(command, {"XDG_CACHE_HOME": str(caches)}, stdout=file, stderr=file) as process,
        ):
            while not (found := list(caches.glob("*/lanes/*.json"))):
                if process.poll() is not None:
                    check_words(process.returncode, log)
                    raise Failed(f"no lanes were chosen: {end_of(log)}")
                if time.perf_counter() - began > limit_s:
                    raise Failed(f"stopped after {limit_s:.0f} s: {end_of(log)}")
                time.sleep(10 * LOOK_EVERY)
            gains = json.loads(found[0].read_text(encoding="utf-8"))["gains"]
    return {int(n): float(gain) for n, gain in gains.items()}


def check_words(code: int, log: Path) -> None:
    """Raises BadInput if a command's exit code is that for it, for then no other of its kind can do better."""
    if code == 2:
        raise BadInput(last_line(log.read_text(encoding="utf-8")).removeprefix("error: "))


def look(outputs: Path, runs: dict[Path, TimedRun], seen: dict[Path, int], began: float) -> None:
    """Note which metrics files have new rows. A file is written whole after each epoch: its time is that row's."""
    for path in outputs.glob("*/*/metrics.csv"):
        with contextlib.suppress(FileNotFoundError):
            written = path.stat().st_mtime_ns
            if seen.get(path) == written:
                continue
            seen[path] = written
            rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
            if rows:
                run = runs.setdefault(path, TimedRun())
                # Rows between two looks share their time; epochs are far longer than that.
                run.ends += [written / 1e9 - began] * (len(rows) - len(run.rows))
                run.rows = rows


def total_images_per_second(runs: list[TimedRun]) -> float:
    """Of all runs together, evaluation included, while all of them train: from the last one's first epoch on until
    the first of them ends.

    Raises:
        Failed: there is no such time.
    """
    begin, end = max(run.ends[0] for run in runs), min(run.ends[-1] for run in runs)
    if begin >= end:
        raise Failed("the runs never trained all at a time: more epochs are needed")
    # An epoch in which the window begins or ends counts by its share of time.
    done = [np.diff(np.interp([begin, end], run.ends, range(len(run.ends))))[0] for run in runs]
    return float(sum(done)) * runs[0].images / (end - begin)


@contextlib.contextmanager
def started(command: list[str], variables: Mapping[str, str] = MappingProxyType({}), /, **options: Any) -> Any:
    """A process in the repository's folder with these environment variables, ended with all it has started."""
    environment = {
        **os.environ,
        **variables,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
    }
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # else it would train on
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, start_new_session=True, **options)
    try:
        yield process
    finally:
        signal.signal(signal.SIGTERM, before)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def end_of(log: Path) -> str:
    """The last line of what a command printed, in whatever encoding."""
    return last_line(log.read_text(encoding="utf-8", errors="replace"))


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]
