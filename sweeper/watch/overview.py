"""The current state of folders of runs: the status of every run, the progress of the sweep, and an estimate of its end.

It is read only from the run directories, so it works with any launcher and from any machine that sees the folder.
"""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sweeper.runs.arms import ArmsByFolder, Member
from sweeper.runs.layout import METRICS_FILE, RUN_FILE
from sweeper.runs.metrics import Row, read_metrics
from sweeper.runs.results import read_results
from sweeper.runs.rows import ARM, Run, read_row
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import Planned, Sweep, read_sweeps
from sweeper.runs.under_way import read_under_way
from sweeper.system.limits import MOST_SECONDS

# As they are shown: what goes on first, what needs a look next.
STATUSES = (
    Status.RUNNING,
    Status.WAITING,
    Status.FAILED,
    Status.DAMAGED,
    Status.INTERRUPTED,
    Status.DIVERGED,
    Status.PRUNED,
    Status.COMPLETED,
)
# By a sweep that comes to them; the others are its own already, or results.
BEGUN_AGAIN = (Status.FAILED, Status.DAMAGED, Status.INTERRUPTED, Status.PRUNED)
SETTINGS = ("dataset", "model", "optimizer", "noise", "noise_rate", "seed", "device", "precision", ARM)
RECENT = 5  # the latest epochs, whose speed is used for the estimate


@dataclass
class Sighting:
    """The current state of a run.

    Attributes:
        status: one of `STATUSES`; `waiting` is a planned run of a sweep that hasn't started.
        epoch: the number of epochs done.
        part: of the epoch under way, in [0, 1]; of very short epochs several may be under way.
        pace: seconds per epoch while it trains; None before the first step.
        age: seconds since its latest step or epoch, or since it ended.
        test_accuracy: after the latest epoch, in [0, 1].
        val_accuracy: likewise, on held-out training images; None without them.
        seconds_left: an estimate, for a running run.
        settings: its values of `SETTINGS`, None if unknown.
        changed: when its record was last written, that is when it started or ended, in seconds since 1970; 0 without a
            record.
        in_sweep: it belongs to a running sweep.
        label: what distinguishes it in that; "" if nothing does.
        sweep: the path of that sweep's file; "" if it is in none.
    """

    run: str
    status: Status
    epoch: int = 0
    epochs: int | None = None
    test_accuracy: float | None = None
    best_test_accuracy: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    error: str | None = None
    settings: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(SETTINGS))
    changed: float = 0.0
    in_sweep: bool = False
    val_accuracy: float | None = None
    part: float = 0.0
    pace: float | None = None
    age: float = 0.0
    label: str = ""
    sweep: str = ""


@dataclass
class Overview:
    """All runs, and the progress of the running sweeps or, without any, of all runs.

    Attributes:
        runs: in the order in which they are shown.
        epochs_done: out of `epochs`; all epochs of a run that ended early count as done.
        under_way: the parts of epochs that are done besides.
        sweeping: whether the figures below are of running sweeps.
        seconds_left: an estimate; None if none is possible or nothing is running.
        repeats: which of the runs were trained again, as a sentence; "" if none were.
    """

    runs: list[Sighting]
    sweeping: bool
    epochs_done: int
    epochs: int
    seconds_elapsed: float | None
    seconds_left: float | None
    under_way: float = 0.0
    repeats: str = ""

    @property
    def share(self) -> float:
        """Of all epochs, what is done."""
        return min(1.0, (self.epochs_done + self.under_way) / self.epochs) if self.epochs else 0.0

    def counts(self) -> dict[Status, int]:
        return {status: n for status in STATUSES if (n := sum(run.status is status for run in self.counted()))}

    def counted(self) -> list[Sighting]:
        """The runs that the figures include."""
        return [run for run in self.runs if run.in_sweep] if self.sweeping else self.runs


class Watcher:
    """Reads folders repeatedly; settled runs are read only once."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self.outputs = outputs
        self._settled: dict[str, tuple[tuple[int, int, int], Run]] = {}

    def look(self, none_ok: bool = True) -> Overview:
        """Read the current state.

        Raises:
            BadInput: a folder doesn't exist, or with `none_ok=False` has neither runs nor a running sweep.
        """
        sweeps = [sweep for folder in self.outputs for sweep in read_sweeps(Path(folder))]
        results = read_results(self.outputs, self._read, none_ok or bool(sweeps))
        now = time.time()
        runs = {os.path.realpath(run.path): _sight(run, now) for run in results.runs}
        arms = ArmsByFolder()
        given_way = {os.path.realpath(one.run.path): one.run for one in results.left_out}
        for path in {planned.path for sweep in sweeps for planned in sweep.runs} & given_way.keys():
            runs[path] = _sight(given_way[path], now)  # a sweep's own run is shown, whichever counts
        live = [sweep for sweep in sweeps if sweep.alive or _at_work(sweep, runs)]
        for sweep in live:
            names = [(arms.of(planned.path) or Member()).arm for planned in sweep.runs]
            for planned, name in zip(sweep.runs, names, strict=True):
                runs[planned.path] = seen = _as_planned(planned, sweep, runs.get(planned.path))
                seen.settings[ARM] = name if all(names) else None  # a sweep without arms has others, too
        return replace(_overview(runs, live, now), repeats=results.repeats_of(results.runs))

    def _read(self, path: str, name: str) -> Run:
        try:
            file = os.stat(os.path.join(path, RUN_FILE))
            mark = (file.st_mtime_ns, file.st_size, file.st_ino)
        except OSError:
            return read_row(path, name)
        known = self._settled.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        run = read_row(path, name)
        if run.status.settled:
            self._settled[path] = (mark, run)
        return run


def _sight(run: Run, now: float) -> Sighting:
    values = run.values
    seen = Sighting(
        values["run"],
        run.status,
        run.epochs_done,
        values.get("epochs"),
        values.get("final_test_accuracy"),
        values.get("best_test_accuracy"),
        values.get("images_per_second"),
        error=values.get("error"),
        settings={name: values.get(name) for name in SETTINGS},
        changed=_time_of(run.path, RUN_FILE) or 0.0,
        val_accuracy=values.get("final_val_accuracy"),
    )
    seen.age = max(0.0, now - seen.changed)
    if seen.status.goes_on:
        rows, _ = read_metrics(Path(run.path) / METRICS_FILE)
        if rows:
            seen.epoch = int(rows[-1]["epoch"] or 0)
            seen.test_accuracy, seen.val_accuracy = rows[-1]["test_accuracy"], rows[-1]["val_accuracy"]
            seen.images_per_second = rows[-1]["images_per_second"]
        if seen.status is Status.RUNNING:
            written = _time_of(run.path, METRICS_FILE)
            seen.seconds_left = _seconds_left(rows, seen.epochs, seen.changed, written, now)
            if rows and written is not None:
                seen.age = max(0.0, now - written)
            if seen.epochs is not None and (told := read_under_way(Path(run.path), now)) is not None:
                seen.part = max(0.0, min(told.epochs, seen.epochs) - seen.epoch)
                seen.pace, seen.age = told.pace, told.age
                if seen.seconds_left is None:  # its first epoch
                    seen.seconds_left = _left(told.pace or 0.0, seen.epochs - seen.epoch - seen.part, told.age)
    return seen


def _left(pace: float, epochs: float, age: float) -> float | None:
    """The seconds for so many epochs, of which no more than one is taken off for the time since the latest news: so
    what is left doesn't grow while nothing is heard. None if a file's date or a recorded number is wrong, so that it is
    beyond all dates."""
    seconds = max(0.0, pace * epochs - min(age, pace))
    return seconds if seconds <= MOST_SECONDS else None


def _seconds_left(rows: list[Row], epochs: int | None, began: float, written: float | None, now: float) -> float | None:
    """Estimate the seconds left from the training time of the latest epochs or the mean time per epoch since `began`.

    The mean time includes evaluation, but is too short after a resume, since earlier epochs count, too. So the larger
    of the two is used.

    Args:
        began: when the run started or resumed.
        written: when the latest epoch ended; None if none has.
    """
    if not rows or epochs is None or written is None:
        return None
    done = len(rows)
    training = statistics.median(row["train_seconds"] or 0.0 for row in rows[-RECENT:])
    pace = max(training, (written - began) / done)
    return _left(pace, epochs - (rows[-1]["epoch"] or 0), max(0.0, now - written))


def _as_planned(planned: Planned, sweep: Sweep, seen: Sighting | None) -> Sighting:
    """A run of a running sweep; it is `waiting` if its record is from an earlier command."""
    if seen is None:
        seen = Sighting("/".join(planned.path.rsplit(os.sep, 2)[-2:]), Status.WAITING, 0, planned.epochs)
    elif seen.changed < sweep.began and (planned.anew or seen.status in BEGUN_AGAIN):
        seen = Sighting(seen.run, Status.WAITING, planned.done, planned.epochs, settings=seen.settings)
    elif seen.epochs is None:  # it has begun and has no record yet
        seen.epochs = planned.epochs
    seen.in_sweep, seen.label, seen.sweep = True, planned.label, str(sweep.path)
    return seen


def _at_work(sweep: Sweep, runs: dict[str, Sighting]) -> bool:
    """For a sweep whose process is on another machine: one of its runs trains."""
    return any(run.path in runs and runs[run.path].status is Status.RUNNING for run in sweep.runs)


def _place(run: Sighting) -> tuple[int, float]:
    """By status; those that train as they began, those that ended the latest first, those to come as they will."""
    return STATUSES.index(run.status), run.changed if run.status is Status.RUNNING else -run.changed


def _overview(runs: dict[str, Sighting], live: list[Sweep], now: float) -> Overview:
    ordered = sorted(runs.values(), key=_place)
    counted = [run for run in ordered if run.in_sweep] if live else ordered
    unfinished = [run for run in counted if run.status in (Status.RUNNING, Status.WAITING)]
    ends = [run.seconds_left for run in unfinished if run.seconds_left is not None]
    elapsed = max(0.0, now - min(sweep.began for sweep in live)) if live else None
    if elapsed is not None:
        planned = {run.path: run for sweep in live for run in sweep.runs}
        begun = [(runs[path], run.done) for path, run in planned.items()]
        if (whole := _whole(unfinished, begun, elapsed)) is not None:
            ends.append(whole)
        elif any(run.status is Status.WAITING for run in unfinished):
            ends = []
    return Overview(
        ordered,
        bool(live),
        sum((run.epochs or 0) if run.status.settled else min(run.epoch, run.epochs or 0) for run in counted),
        sum(run.epochs or 0 for run in counted),
        elapsed,
        max(ends) if ends and unfinished else None,
        sum(run.part for run in counted if not run.status.settled),
    )


def _whole(unfinished: list[Sighting], begun: list[tuple[Sighting, int]], elapsed: float) -> float | None:
    """The seconds left of a sweep, by what its runs have done in it; None before the first step.

    Args:
        begun: each of its runs, and the epochs that were done before it.
        elapsed: since it began.
    """
    left = sum((run.epochs or 0) - run.epoch - run.part for run in unfinished)
    training = [run for run in unfinished if run.status is Status.RUNNING and run.pace]
    if all(run.epoch <= done for run, done in begun):  # no epoch has ended: by the steps, without the sweep's start
        speed = sum(1 / run.pace for run in training if run.pace)
        return _left(1 / speed, left, min(run.age for run in training)) if speed else None
    # Scale the time until the latest news by the epochs left: it includes all besides training, for any launcher.
    gained = sum(max(0.0, run.epoch + run.part - done) for run, done in begun)
    age = min([run.age for run, done in begun if run.epoch + run.part > done], default=0.0)
    return _left(max(0.0, elapsed - age) / gained, left, age)


def _time_of(directory: str, name: str) -> float | None:
    try:
        return os.stat(os.path.join(directory, name)).st_mtime
    except OSError:
        return None
