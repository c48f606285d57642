"""Launches a sweep's runs, and after a process died launches the unfinished ones again."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from sweeper.config.grid import Cell
from sweeper.runs.layout import RUN_FILE
from sweeper.runs.record import recorded_status
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.errors import RunFailed
from sweeper.system.files import when_written
from sweeper.train.deaths import Deaths
from sweeper.train.launchers.interface import Launcher


class Launches:
    """Tries each of `cells` once, even if processes die or other commands train some of them.

    Args:
        overrides: the runs' own, for their names.
    """

    def __init__(
        self,
        cells: list[Cell],
        launcher: Launcher,
        stop: SweepStop,
        overrides: Mapping[Path, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self._cells, self._launcher, self._stop = cells, launcher, stop
        self._deaths = Deaths(cells, launcher, overrides)
        self._begun_with = {cell.directory: when_written(cell.directory / RUN_FILE) for cell in cells}

    def launch(self, start: Callable[[list[Path]], None]) -> None:
        """Call `start` with the directories of the runs to skip; repeat it after a process died.

        Raises:
            Exception: raised by `start`, unless a process died.
        """
        while True:
            try:
                with self._launcher.bound(), self._launcher.exit_codes(self._deaths.codes):
                    return start([cell.directory for cell in self._cells if self._has_ended(cell)])
            except Exception as error:
                cause = error.__cause__ if isinstance(error, RunFailed) else error
                if self._launcher.has_lost_a_process(cause) and self._stop.reason() == Status.INTERRUPTED:
                    return None  # a signal to all processes also ended one that hadn't begun to handle signals
                died = self._deaths.settle(cause)
                if not died or self._stop.requested():
                    raise
            if self._cells[0].config["fail_fast"]:
                return self._stop.request(Status.FAILED)

    def _has_ended(self, cell: Cell) -> bool:
        """Whether a run has ended during this command. Runs that finished before it are answered from disk anyway."""
        if when_written(cell.directory / RUN_FILE) == self._begun_with[cell.directory]:
            return False
        status = recorded_status(cell.directory)
        if status is None:
            return False
        return status is Status.FAILED or bool(cell.config["rerun"] and status.finished)
