"""One attempt at a run, under its lock: from its device and data to its last epoch, in steps."""

import logging
import time
from collections.abc import Callable, Generator
from typing import Any

from sweeper.datasets.data import Data, load_run_data
from sweeper.engine.devices import Device, choose_device, reset_peak_memory
from sweeper.engine.loop import Stopped, train
from sweeper.engine.memory import explain_out_of_memory
from sweeper.engine.numerics import Kept
from sweeper.engine.pace import Turn
from sweeper.runs.directory import RunDirectory
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop
from sweeper.train.assignment import Assignment
from sweeper.train.earlier import Earlier
from sweeper.train.energy import RunEnergy, open_meter
from sweeper.train.outcome import Pruned
from sweeper.train.presence import DeviceTime, Presence, shared_before
from sweeper.train.process_state import ProcessState
from sweeper.train.progress import Progress
from sweeper.train.record import describe_environment, summarize_rows
from sweeper.train.search.pruning import why_pruned
from sweeper.train.signals import StopSignals
from sweeper.train.trackers.tracking import Tracking

log = logging.getLogger("sweeper")

CHECK_LOCK_EVERY = 10.0  # seconds


class Attempt:
    """What is known of a run while it trains, as far as it has come.

    Attributes:
        rows: of `metrics.csv`, one an epoch.
        environment: the record's; empty until the device and the data are there.
        progress: how far it is, for the terminal and the run's lock.
    """

    def __init__(
        self,
        assignment: Assignment,
        run: RunDirectory,
        earlier: Earlier,
        kept: Kept,
        tracking: Tracking,
        sweep: SweepStop | None,
    ) -> None:
        self.rows: list[dict[str, Any]] = []
        self.environment: dict[str, Any] = {}
        self._assignment, self._run, self._earlier, self._kept = assignment, run, earlier, kept
        self._tracking, self._sweep, self._signals = tracking, sweep, StopSignals.installed()
        self._device: Device | None = None
        self._data: Data | None = None
        self._state: ProcessState | None = None
        self._presence: Presence | None = None
        self._device_time = DeviceTime(earlier.record, assignment.parallel)
        self._energy = RunEnergy(None, None)
        self._shared = True if assignment.parallel > 1 else shared_before(run.path, earlier.record)
        self._judged = 0  # rows
        self.progress = Progress(assignment.config["epochs"], quiet=sweep is not None)

    def steps(self, check_lock: Callable[[], None]) -> Generator[Turn, None, None]:
        """Prepare the run and train it to its end; what stops it, or goes wrong, is raised.

        Args:
            check_lock: raises `LockLost` once the run is another process's.
        """
        config, run = self._assignment.config, self._run
        for line in self._kept.lines:
            log.warning("%s: %s", self._assignment.directory, line)
        self._device = device = choose_device(self._kept.options, self._kept.threads)
        self._energy = RunEnergy(open_meter(device.kind), self._earlier.record)
        self._state = state = ProcessState()
        with state:
            self._data = data = load_run_data(config)
        overrides, record = self._assignment.overrides, self._earlier.record
        self.environment = describe_environment(config, run.path, device, data, overrides, record)
        self._count_device_time()
        run.write_run(Status.RUNNING, config, self.environment)
        self._tracking.start()
        run.write_corrupted_labels(data.corrupted_labels())
        level = logging.INFO if self._sweep is None else logging.DEBUG
        log.log(level, "%s", device.line())
        log.log(level, "data: %s", data.form)
        if Presence.runs_here() == 0:
            reset_peak_memory(device.kind)
        loop = train(config, data, device, run, self.rows, self._show, self.environment)
        self.progress.begin(-(-len(data.train.labels) // config["batch_size"]))
        self._presence = Presence(device.kind)
        with self._presence as presence:
            checked = time.monotonic()
            for turn in state.turns(loop):
                if (reason := self._reason_to_stop()) is not None:
                    with state:
                        loop.throw(reason)
                self._device_time.count()
                self._energy.count(self._device_time.sharing)
                self.progress.step(len(self.rows), turn.steps, turn.before)
                if time.monotonic() - checked > CHECK_LOCK_EVERY:
                    check_lock()
                    presence.look()
                    checked = time.monotonic()
                yield turn

    def close(self) -> None:
        """Give the process and the terminal back, however the steps ended."""
        self.progress.close()
        if self._state is not None:
            self._state.close()

    def result(self, status: Status) -> dict[str, Any]:
        """What came of the attempt, for the record."""
        if self.environment:
            self._count_device_time()
        return summarize_rows(self.rows, self._assignment.config, self.environment, status, self._shared_device())

    def _shared_device(self) -> bool | None:
        """Whether other runs used the device, in this attempt or before; None if unknown."""
        if (presence := self._presence) is not None and (presence.others or self._shared is False):
            return presence.others
        return self._shared

    def explain_out_of_memory(self) -> str | None:
        """Which batch size would fit; None where not even the data did. To be called after the steps have ended."""
        if self._data is None or self._device is None:
            return None
        return explain_out_of_memory(self._assignment.config, self._data, self._device)

    def _reason_to_stop(self) -> Stopped | None:
        """What is thrown into the loop where this process, its sweep or the search ends the run."""
        signals, sweep, bars = self._signals, self._sweep, self._assignment.bars
        if signals.received is not None and sweep is not None and not signals.of_one_job:
            sweep.request(Status.INTERRUPTED)  # a worker's signal, too, is for the whole sweep
        if signals.received is not None or (sweep is not None and sweep.requested()):
            return Stopped()
        if bars is not None and len(self.rows) > self._judged:
            self._judged = len(self.rows)
            if (why := why_pruned([row["val_accuracy"] for row in self.rows], bars)) is not None:
                return Pruned(why)
        return None

    def _show(self, row: dict[str, Any]) -> None:
        self.progress.show(row)
        self._tracking.epoch(self.rows)

    def _count_device_time(self) -> None:
        seconds, environment = self._device_time.count(), self.environment
        self._energy.count(self._device_time.sharing, at_once=True)
        environment["device_seconds"] = seconds  # what the run cost of its device, its share if several ran
        environment.pop("energy_kwh", None)
        if self._energy.kwh is not None:
            environment["energy_kwh"] = round(self._energy.kwh, 9)  # likewise of its GPU's energy
        if (price := self._assignment.config["price_per_hour"]) is not None:
            environment["cost"] = round(price * seconds / 3600, 6)  # of `device_seconds` by `price_per_hour`
