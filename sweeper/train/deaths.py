"""Reports, records and skips runs whose process died, by `os._exit`, a crash or a signal.

A process pool breaks when one process dies; joblib then also kills the others. The runs of the process that died first
are recorded as failed, and all others are launched again.
"""

import contextlib
import os
import signal
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sweeper.config.resolved import Cell
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import LOCK_FILE
from sweeper.runs.record import Damaged, read_run, recorded_status
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.files import write_atomically
from sweeper.system.lock import Locked, is_alive, read_lock
from sweeper.system.processes import describe, is_known
from sweeper.system.terminal import tell
from sweeper.train.label import Labelled, label_run, name_run
from sweeper.train.launchers.interface import Launcher

PASSED_OVER = "SWEEPER_PASSED_OVER"  # the number of a launch's list of runs that the launcher's workers must skip


def dead_owner(directory: Path) -> dict[str, Any] | None:
    """The process on this machine that died while it trained the run; None if there is none, or if it can't be told at
    once, as of another machine's process and of one that this machine hides."""
    if recorded_status(directory) is not Status.RUNNING:
        return None
    seen = read_lock(directory / LOCK_FILE)
    return seen if seen is not None and is_known(seen) and not is_alive(directory / LOCK_FILE, seen) else None


def tell_of_the_dead(runs: Iterable[Labelled], then: str = "") -> list[Path]:
    """Report each run in which an earlier command's process died. Returns their directories."""
    dead = []
    for run in runs:
        if (owner := dead_owner(run.directory)) is not None:
            dead.append(run.directory)
            what = f"{describe(owner)} ended in the middle of it (killed, a crash, or os._exit)"
            name = name_run(label_run(run.config, run.overrides), run.directory)
            tell(f"{name}: {what}; it goes on from its checkpoint{then}")
    return dead


def passing_over(directories: Collection[Path]) -> list[str]:
    """Write the list of runs to skip in the next launch. Returns the override that names it; empty for no runs.

    The list is a file, as an environment variable can't have more than some thousand names.
    """
    if not directories:
        return []
    sweep = SweepStop.current()
    assert sweep is not None
    number = str(1 + sum(1 for _ in sweep.lists()))  # a name of its own: another machine may see a file's changes late
    names = "\n".join(sorted(map(_name, directories)))
    write_atomically(sweep.list_to_skip(number), names.encode(), durable=False)
    return [f"++hydra.job.env_set.{PASSED_OVER}='{number}'"]


def is_passed_over(directory: Path) -> bool:
    """Whether this launch must skip the run."""
    sweep, number = SweepStop.current(), os.environ.get(PASSED_OVER)
    if sweep is None or number is None:
        return False
    return _name(directory) in sweep.list_to_skip(number).read_text(encoding="utf-8").splitlines()


def _name(directory: Path) -> str:
    return f"{directory.parent.name}/{directory.name}"


class Deaths:
    """Records which of a sweep's processes died, over all launches.

    Args:
        overrides: the runs' own, for their names.
    """

    def __init__(
        self, cells: Iterable[Cell], launcher: Launcher, overrides: Mapping[Path, Sequence[str]] = MappingProxyType({})
    ) -> None:
        self.cells = list(cells)
        self._overrides = overrides
        self.codes: dict[int, int] = {}  # exit codes by process id, if the launcher knows them
        self._launcher = launcher
        self._before = {cell.directory: dead_owner(cell.directory) for cell in self.cells}
        self._suspected: set[Path] = set()  # shared a process that died with other runs
        self._finished = self._count_finished()

    def settle(self, error: BaseException | None) -> bool:
        """Call after a launch that ended with `error`: record runs whose process died as failed.

        A run that was alone in its process fails at once. A run that shared its process fails the second time.

        Returns:
            Whether the other runs can be launched again.
        """
        if not self._launcher.has_lost_a_process(error):
            return False
        owners = {cell.directory: dead_owner(cell.directory) for cell in self.cells}
        died = {d: o for d, o in owners.items() if o is not None and o != self._before[d]}
        if self.codes:
            died = {d: o for d, o in died.items() if o["pid"] in self.codes}
        shared = [owner["pid"] for owner in died.values()]
        for cell in self.cells:
            if (owner := died.get(cell.directory)) is None:
                continue
            if shared.count(owner["pid"]) == 1 or cell.directory in self._suspected:
                self._record_death(cell, owner)
            self._suspected.add(cell.directory)
        self._before |= died
        finished, before = self._count_finished(), self._finished
        self._finished = finished
        return bool(died) or finished > before

    def _count_finished(self) -> int:
        statuses = [recorded_status(cell.directory) for cell in self.cells]
        return sum(status is not None and status.finished for status in statuses)

    def _record_death(self, cell: Cell, owner: dict[str, Any]) -> None:
        code = self.codes.get(owner["pid"])
        how = "killed, a crash, or os._exit" if code is None else how_ended(code)
        error = f"{describe(owner)} ended in the middle of it ({how})"
        run = RunDirectory(cell.directory)
        with contextlib.suppress(OSError, Locked, Damaged), run.lock():
            run.write_run(Status.FAILED, cell.config, read_run(cell.directory)["environment"], None, error)
        label = label_run(cell.config, self._overrides.get(cell.directory, ()))
        tell(f"{name_run(label, cell.directory)}: failed: {error}")


def how_ended(code: int) -> str:
    """How a process ended, in words.

    >>> how_ended(3), how_ended(-11), how_ended(-40)
    ('exit code 3', 'SIGSEGV', 'signal 40')
    """
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"signal {-code}"
