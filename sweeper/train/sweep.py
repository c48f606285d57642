"""Carries out all runs of a command line: skips finished ones, trains the others, waits for other processes."""

import argparse
import contextlib
import time
from functools import partial

from sweeper.config.grid import Grid
from sweeper.config.resolved import Cell, other_circumstances
from sweeper.runs.access import check_readable, check_writable
from sweeper.runs.agreement import metrics_disagreement, weights_disagreement
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import with_relative_paths
from sweeper.runs.layout import HYDRAS_SWEEP_FILE, LOCK_FILE, RUN_FILE
from sweeper.runs.record import Damaged, effective_status, find_finished, read_run, recorded_status
from sweeper.runs.rows import read_row
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop, tidy_folder, write_sweep
from sweeper.system.errors import RunFailed
from sweeper.system.files import clear_way, when_written
from sweeper.system.lock import is_alive, read_lock
from sweeper.system.machine import probe_kind
from sweeper.system.processes import describe
from sweeper.system.terminal import say, tell
from sweeper.system.text import percent, shortened
from sweeper.train.deaths import tell_of_the_dead
from sweeper.train.launchers.registry import check_installed, find_launcher
from sweeper.train.launches import Launches
from sweeper.train.live_table import show_sweep
from sweeper.train.search.carry_out import carry_out_search
from sweeper.train.signals import StopSignals
from sweeper.train.sweep_end import sweep_at_work, update_tables
from sweeper.train.task import Task, train_by_hydra


def carry_out(grid: Grid, asked: argparse.Namespace) -> int:
    """Train the runs that aren't finished and answer the others. Returns the command's exit code.

    Args:
        asked: the parsed command line, which is passed to Hydra.
    """
    check_readable(grid.outputs, (cell.directory for cell in grid.cells))
    to_do = [cell for cell in grid.cells if cell.config["rerun"] or find_finished(cell.directory) is None]
    done = len(grid.cells) - len(to_do)
    if to_do:
        check_writable(grid.outputs, [cell.directory for cell in to_do])
    tidy_folder(grid.outputs)
    clear_way(grid.outputs / HYDRAS_SWEEP_FILE)
    for cell in grid.cells:  # Hydra opens each run's log and would follow a link
        RunDirectory(cell.directory).remove_links()
    if grid.search is not None:
        return carry_out_search(grid, grid.search, _prepare, partial(train_by_hydra, asked), _exit_code)
    if not grid.sweep:
        return _carry_out_one(grid.cells[0], bool(to_do), asked)
    for cell in grid.cells:
        if cell not in to_do:
            _answer(cell)
    own = [cell.directory for cell in grid.cells]
    runs = "1 run" if len(grid.cells) == 1 else f"{len(grid.cells)} runs"
    tell(f"{runs}, {done} done already, in {grid.outputs}/")
    if not to_do:
        return 0 if update_tables(str(grid.outputs), own) else 1
    _prepare(grid, to_do)
    launcher = find_launcher(grid.launcher_options)
    if advice := launcher.advice(grid.launcher_options, [cell.config for cell in to_do], len(grid.cells)):
        tell(advice)
    plan = [(cell.directory, cell.config["epochs"], cell.config["rerun"]) for cell in grid.cells]
    train = partial(train_by_hydra, asked, Task(grid.jobs, {cell.number for cell in to_do}))
    waits = len(to_do) > 1 and not launcher.elsewhere
    later = tell_of_the_dead((cell.directory for cell in to_do), ", after the others" if waits else "")
    with sweep_at_work(grid.outputs, len(to_do), grid.cells, own, launcher.outlives) as (stop, signals):
        write_sweep(grid.outputs, stop.key, plan)
        show_sweep(grid.outputs)
        launches = Launches(to_do, launcher, stop)
        traces = _traces(to_do)
        if waits and 0 < len(later) < len(to_do):  # they may also end the process that trains them now
            launches.launch(lambda ended: train([*later, *ended]))
            update_tables(str(grid.outputs), own)
        launches.launch(train)
        while _wait_for_others(to_do, stop, launcher.cancels):
            traces = _check_progress(to_do, traces)
            show_sweep(grid.outputs)
            launches.launch(train)
        written = update_tables(str(grid.outputs), own)
        if (left := sum(_status(cell) is None for cell in to_do)) and stop.reason() is not None:
            tell(f"{left} more not begun; the same command goes on")
        return _exit_code(to_do, signals, stop.reason()) or (0 if written else 1)


def _carry_out_one(cell: Cell, to_do: bool, asked: argparse.Namespace) -> int:
    if not to_do:
        _answer(cell, whole=True)
        return 0
    tell(f"{cell.directory}: preparing")
    tell_of_the_dead([cell.directory])
    _rehearse([cell])
    signals = StopSignals()
    train_by_hydra(asked, Task())
    return _exit_code([cell], signals, None)


def _prepare(grid: Grid, cells: list[Cell]) -> None:
    """Detect errors before a sweep's runs start: first those of its cluster, if any, then those of its runs."""
    launcher = find_launcher(grid.launcher_options)
    launcher.prepare(grid.launcher_options)
    check_installed(grid.launcher_options)
    _rehearse(cells, launcher.elsewhere)


def _rehearse(cells: list[Cell], elsewhere: bool = False) -> None:
    """Detect errors before any run starts: of the outputs folder, device, data, model, optimizer and schedule."""
    from sweeper.train.rehearse import rehearse

    rehearse([cell.config for cell in cells], elsewhere)


def _answer(cell: Cell, whole: bool = False) -> None:
    """Report a finished run's result from disk, with the options it was made with if others are requested now.

    Args:
        whole: read the weights to compare them with the record; else only their size is.
    """
    run = find_finished(cell.directory)
    assert run is not None
    RunDirectory(cell.directory).tidy_finished()
    result = run["result"] or {}
    outcome = shortened(run.get("error") or f"test {percent(result.get('final_test_accuracy'))}")
    say(f"{cell.directory}: {run['status']} already, {outcome} (rerun=true trains again)")
    row = read_row(str(cell.directory), cell.directory.name)
    if row.status is Status.DAMAGED:
        say(f"  tables call it damaged: {row.values['error']}")
    for other in (metrics_disagreement(cell.directory, run), weights_disagreement(cell.directory, run, whole)):
        if other is not None:
            say(f"  {other}; put the run's own file back, or train again")
    asked = with_relative_paths(cell.config, cell.directory)
    if others := other_circumstances(asked, run, probe_kind()):
        say(f"  it was made with {', '.join(others)}")


def _wait_for_others(cells: list[Cell], stop: SweepStop, cancels: bool) -> bool:
    """Wait for runs that other processes train. Returns whether a run is unfinished and must be launched again.

    Args:
        cancels: whether a cluster may cancel runs. If so, an unfinished run that nobody was seen to train counts as
            cancelled, and isn't launched again.
    """
    unfinished = False
    for cell in cells:
        lock = cell.directory / LOCK_FILE
        told = False
        while not stop.requested() and (seen := read_lock(lock)) is not None and is_alive(lock, seen):
            if not told:
                tell(f"{cell.directory}: waiting for {describe(seen)}")
                told = True
            time.sleep(1)
        left = (status := recorded_status(cell.directory)) is None or status.goes_on  # nobody trains it any more
        unfinished = unfinished or (left and (told or not cancels))
    return unfinished and not stop.requested()


def _traces(cells: list[Cell]) -> list[int | None]:
    """The times at which the runs' records and locks were last written; None for a file that isn't there."""
    return [when_written(cell.directory / name) for cell in cells for name in (RUN_FILE, LOCK_FILE)]


def _check_progress(cells: list[Cell], before: list[int | None]) -> list[int | None]:
    """Check that runs were begun since `before`, or launching them again would never end. Returns the traces now.

    Raises:
        RunFailed: none was.
    """
    if (now := _traces(cells)) == before:
        left = [cell.directory for cell in cells if recorded_status(cell.directory) is None]
        which = f"{(left or [cells[0].directory])[0]}: "
        raise RunFailed(f"{which}the launcher ended without beginning this run; its own log may say why")
    return now


def _status(cell: Cell) -> Status | None:
    with contextlib.suppress(Damaged):
        return effective_status(read_run(cell.directory), cell.directory)
    return None


def _exit_code(cells: list[Cell], signals: StopSignals, reason: str | None) -> int:
    """The exit code, from the runs' records, so that it doesn't depend on the launcher."""
    statuses = [_status(cell) for cell in cells]
    if signals.received is not None:
        return signals.exit_code
    if Status.FAILED in statuses or reason == Status.FAILED:
        return 1
    if any(status is None or not status.settled for status in statuses):
        return 130
    return 0
