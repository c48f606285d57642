"""What stands in folders of runs at this moment: every run's state, and the whole sweep's progress and end.

Read from the run directories alone, so with any launcher, from any machine that sees the folder, whenever it is asked.
"""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeper.runs.layout import METRICS_FILE, RUN_FILE
from sweeper.runs.metrics import Row, read_metrics
from sweeper.runs.results import read_results
from sweeper.runs.rows import Run, read_row
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import Planned, Sweep, read_sweeps

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
SETTINGS = ("dataset", "model", "optimizer", "noise", "noise_rate", "seed", "device", "precision")
RECENT = 5  # epochs whose speed is taken for that of the next ones


@dataclass
class Sighting:
    """A run as it is now.

    Attributes:
        status: of `STATUSES`; `waiting` has not begun yet in the sweep that will do it.
        epoch: how many are done.
        test_accuracy: of the latest epoch, in [0, 1].
        seconds_left: of a running one, an estimate.
        settings: its values of `SETTINGS`, None where they aren't known.
        changed: when its record was last written, in seconds since 1970: it began, or ended; 0 if it has none.
        in_sweep: it belongs to a sweep that is being carried out.
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


@dataclass
class Overview:
    """All runs, and the progress of the sweeps at work, or else of all runs together.

    Attributes:
        runs: in the order in which they are shown.
        epochs_done: of `epochs`; a run that ended early needs no more, so all of its own count.
        sweeping: whether the figures below are of sweeps at work.
        seconds_left: an estimate; None if there is nothing to tell it by, or nothing at work.
    """

    runs: list[Sighting]
    sweeping: bool
    epochs_done: int
    epochs: int
    seconds_elapsed: float | None
    seconds_left: float | None

    def counts(self) -> dict[Status, int]:
        return {status: n for status in STATUSES if (n := sum(run.status is status for run in self.counted()))}

    def counted(self) -> list[Sighting]:
        """The runs that the figures are of."""
        return [run for run in self.runs if run.in_sweep] if self.sweeping else self.runs


class Watcher:
    """Looks at folders again and again; settled runs are read once."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self.outputs = outputs
        self._settled: dict[str, tuple[tuple[int, int, int], Run]] = {}

    def look(self, none_ok: bool = True) -> Overview:
        """What there is now.

        Raises:
            BadInput: a folder isn't there, or with `none_ok=False` has neither runs nor a sweep at work.
        """
        sweeps = [sweep for folder in self.outputs for sweep in read_sweeps(Path(folder))]
        results = read_results(self.outputs, self._read, none_ok or bool(sweeps))
        now = time.time()
        runs = {os.path.realpath(run.path): _sight(run, now) for run in results.runs}
        live = [sweep for sweep in sweeps if sweep.alive or _at_work(sweep, runs)]
        for sweep in live:
            for planned in sweep.runs:
                runs[planned.path] = _as_planned(planned, sweep, runs.get(planned.path))
        return _overview(runs, live, now)

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
    )
    if seen.status.goes_on:
        rows, _ = read_metrics(Path(run.path) / METRICS_FILE)
        if rows:
            seen.epoch = int(rows[-1]["epoch"] or 0)
            seen.test_accuracy = rows[-1]["test_accuracy"]
            seen.images_per_second = rows[-1]["images_per_second"]
        if seen.status is Status.RUNNING:
            written = _time_of(run.path, METRICS_FILE)
            seen.seconds_left = _seconds_left(rows, seen.epochs, seen.changed, written, now)
    return seen


def _seconds_left(rows: list[Row], epochs: int | None, began: float, written: float | None, now: float) -> float | None:
    """By the latest epochs' time of training, or the time from one to the next, which evaluation is a part of.

    Args:
        began: when the run was begun or resumed. The epochs before a resumption make the time since then too short for
            all epochs, so the larger of the two estimates is taken.
        written: when the latest epoch ended; None if none has.
    """
    if not rows or epochs is None or written is None:
        return None
    done = len(rows)
    training = statistics.median(row["train_seconds"] or 0.0 for row in rows[-RECENT:])
    pace = max(training, (written - began) / done)
    since = min(max(0.0, now - written), pace)
    return max(0.0, pace * (epochs - (rows[-1]["epoch"] or 0)) - since)


def _as_planned(planned: Planned, sweep: Sweep, seen: Sighting | None) -> Sighting:
    """A run of a sweep at work; what an earlier command left of it is not yet its state."""
    if seen is None:
        seen = Sighting("/".join(planned.path.rsplit(os.sep, 2)[-2:]), Status.WAITING, 0, planned.epochs)
    elif seen.changed < sweep.began and (planned.anew or seen.status in BEGUN_AGAIN):
        seen = Sighting(seen.run, Status.WAITING, planned.done, planned.epochs, settings=seen.settings)
    seen.in_sweep = True
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
        # All that it did so far and all that is left: whatever the launcher, and with all that isn't training.
        planned = {run.path: run for sweep in live for run in sweep.runs}
        gained = sum(max(0, runs[path].epoch - run.done) for path, run in planned.items())
        left = sum((run.epochs or 0) - run.epoch for run in unfinished)
        if gained:
            ends.append(elapsed * left / gained)
        elif any(run.status is Status.WAITING for run in unfinished):
            ends = []
    return Overview(
        ordered,
        bool(live),
        sum((run.epochs or 0) if run.status.settled else min(run.epoch, run.epochs or 0) for run in counted),
        sum(run.epochs or 0 for run in counted),
        elapsed,
        max(ends) if ends and unfinished else None,
    )


def _time_of(directory: str, name: str) -> float | None:
    try:
        return os.stat(os.path.join(directory, name)).st_mtime
    except OSError:
        return None
