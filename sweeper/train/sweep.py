"""Carries out all runs of a command line: skips finished ones, trains the others, waits for other processes."""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sweeper.config.arms import NO_ARM, Arm
from sweeper.config.grid import Grid
from sweeper.config.resolved import Cell, other_circumstances
from sweeper.runs.access import check_readable, check_writable
from sweeper.runs.agreement import metrics_disagreement, weights_disagreement
from sweeper.runs.arms import UNNAMED_VARIABLE, read_arms, record_arms
from sweeper.runs.asked import AskedRuns, arm_of_each, asked_runs
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import with_relative_paths
from sweeper.runs.layout import HYDRAS_SWEEP_FILE, LOCK_FILE, RUN_FILE
from sweeper.runs.own_code import code_of_parts, own_code
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
from sweeper.system.text import counted, shortened
from sweeper.train.deaths import tell_of_the_dead
from sweeper.train.label import Labelled, label_rows, score_words
from sweeper.train.launchers.interface import Launcher
from sweeper.train.launchers.registry import check_workers, find_launcher
from sweeper.train.launches import Launches
from sweeper.train.live_table import show_sweep
from sweeper.train.other_images import Finished, check_images
from sweeper.train.search.carry_out import carry_out_search
from sweeper.train.search.widen import widen
from sweeper.train.signals import StopSignals
from sweeper.train.sweep_end import not_begun_words, sweep_at_work, update_tables
from sweeper.train.task import Task, train_by_hydra


def carry_out(grid: Grid, asked: argparse.Namespace, begin: Callable[[Grid], None]) -> int:
    """Train the runs that aren't finished and answer the others. Returns the command's exit code.

    Args:
        asked: the parsed command line, which is passed to Hydra.
        begin: called with the grid as its records extend it, before these runs are trained.
    """
    check_readable(grid.outputs, (cell.directory for cell in grid.cells))
    grid, said = widen(grid)
    begin(grid)
    if UNNAMED_VARIABLE in os.environ:
        grid = replace(grid, arms={}, comparisons=[])
    records = [None if cell.config["rerun"] else find_finished(cell.directory) for cell in grid.cells]
    to_do = [cell for cell, record in zip(grid.cells, records, strict=True) if record is None]
    check_images(_finished(grid, records))
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
        return _carry_out_one(grid.cells[0], records[0], asked)
    read_arms(grid.outputs)  # a damaged file is refused before anything starts
    own = asked_runs({cell.directory: cell.config for cell in grid.cells}, grid.comparisons)
    arm_of = {directory: arm for arm, directories in grid.arms.items() for directory in directories}
    for cell, record in zip(grid.cells, records, strict=True):
        if record is not None:
            _answer(cell, record, arm=arm_of.get(cell.directory, ""))
    runs = counted(len(grid.cells), "run")
    if to_do:
        if sys.stderr.isatty():  # the imports take seconds
            tell(f"{runs}: preparing")
        _prepare(grid, to_do)
    tell(f"{runs}, {done:,} done already, in {grid.outputs}/")
    for line in said:
        tell(line)
    if not to_do:
        recorded = record_arms(grid.outputs, own)
        return 0 if update_tables(str(grid.outputs), own) and recorded else 1
    launcher = find_launcher(grid.launcher_options)
    if advice := launcher.advice(grid.launcher_options, [cell.config for cell in to_do], len(grid.cells)):
        tell(advice)
    most = len(to_do) if grid.widening is None else len(grid.cells)
    with sweep_at_work(grid, most, launcher.outlives, own) as (stop, signals):
        begun = to_do
        while to_do:
            _launch(grid, to_do, asked, launcher, stop, own)
            grid, to_do = _wider(grid, begun, signals, stop, said)
            begin(grid)
            begun = begun + to_do
            own = replace(own, runs=[cell.directory for cell in grid.cells])
        recorded = record_arms(grid.outputs, own)  # again: another sweep may have named the same runs since
        left = sum(_status(cell) is None for cell in begun) if stop.reason() is not None else 0
        written = (left == len(grid.cells) and stop.reason() is not None) or update_tables(str(grid.outputs), own)
        if left:
            tell(not_begun_words(left, len(begun), len(grid.cells)))
        whole = written and recorded and grid.widening is None
        code = _exit_code(begun, signals, stop.reason(), whole, launcher.cancels)
        return code or (0 if written and recorded else 1)


def _finished(grid: Grid, records: list[dict[str, Any] | None]) -> list[Finished]:
    """Those of the records that are of finished runs; of a search, whose trials aren't known yet, all in its folder."""
    if grid.search is None:
        known = zip(grid.cells, records, strict=True)
        return [Finished(cell.directory, cell.config, record) for cell, record in known if record is not None]
    found = []
    for path in sorted(grid.outputs.glob(f"*/*/{RUN_FILE}")):
        with contextlib.suppress(Damaged):  # tables tell
            if (record := find_finished(path.parent)) is not None:
                found.append(Finished(path.parent, grid.cells[0].config, record))
    return found


def _launch(
    grid: Grid, to_do: list[Cell], asked: argparse.Namespace, launcher: Launcher, stop: SweepStop, own: AskedRuns
) -> None:
    """Train the runs of the grid that are to do, and wait for those that other processes train."""
    plan = [(cell.directory, cell.config["epochs"], cell.config["rerun"]) for cell in grid.cells]
    train = partial(train_by_hydra, asked, Task(grid.jobs, {cell.number for cell in to_do}))
    waits = len(to_do) > 1 and not launcher.elsewhere
    record_arms(grid.outputs, own)  # first: lines name a run by its arm
    labelled = {cell.directory: Labelled(cell.directory, cell.config, grid.jobs[cell.number]) for cell in grid.cells}
    waiting = ", after the others" if waits else ""
    later = tell_of_the_dead((labelled[cell.directory] for cell in to_do), waiting)
    write_sweep(grid.outputs, stop.key, plan, label_rows(labelled.values(), arm_of_each(grid.arms)))
    show_sweep(grid.outputs)
    launches = Launches(to_do, launcher, stop, {cell.directory: grid.jobs[cell.number] for cell in to_do})
    traces = _traces(to_do)
    if waits and 0 < len(later) < len(to_do):  # they may also end the process that trains them now
        launches.launch(lambda ended: train([*later, *ended]))
        update_tables(str(grid.outputs), own)
    launches.launch(train)
    while _wait_for_others(to_do, stop, launcher.cancels):
        traces = _check_progress(to_do, traces)
        show_sweep(grid.outputs)
        launches.launch(train)


def _wider(
    grid: Grid, begun: list[Cell], signals: StopSignals, stop: SweepStop, told: list[str]
) -> tuple[Grid, list[Cell]]:
    """The grid as its runs extend it, and the new ones among these; none if the sweep was stopped.

    A failed run stops the extension of its optimizer's grid alone.
    """
    stopped = stop.requested() or stop.reason() is not None or signals.received is not None
    if grid.widening is None or stopped or not _all_settled(begun):
        return grid, []
    there = {cell.directory for cell in grid.cells}
    wider, said = widen(grid)
    for line in said:
        if line not in told:
            tell(line)
            told.append(line)
    new = [cell for cell in wider.cells if cell.directory not in there and find_finished(cell.directory) is None]
    for cell in new:
        RunDirectory(cell.directory).remove_links()
    return wider, new


def _carry_out_one(cell: Cell, record: dict[str, Any] | None, asked: argparse.Namespace) -> int:
    if record is not None:
        _answer(cell, record, whole=True)
        return 0
    if sys.stderr.isatty():  # the imports take seconds
        tell(f"{cell.directory}: preparing")
    tell_of_the_dead([Labelled(cell.directory, cell.config, ())])
    _rehearse([cell])
    signals = StopSignals(of_command=True)
    train_by_hydra(asked, Task())
    return _exit_code([cell], signals, None, whole=True)


def _prepare(grid: Grid, cells: list[Cell]) -> None:
    """Detect errors before a sweep's runs start: first those of its cluster, if any, then those of its runs."""
    launcher = find_launcher(grid.launcher_options)
    launcher.prepare(grid.launcher_options)
    check_workers(grid.launcher_options, len(cells))
    arm_of = {run: Arm(name, grid.words[name]) for name, runs in grid.arms.items() for run in runs}
    _rehearse(cells, launcher.elsewhere, [arm_of.get(cell.directory, NO_ARM) for cell in cells])


def _rehearse(cells: list[Cell], elsewhere: bool = False, arms: Sequence[Arm] = ()) -> None:
    """Detect errors before any run starts: of the outputs folder, device, data, model, optimizer and schedule."""
    from sweeper.train.rehearse import rehearse

    rehearse([cell.config for cell in cells], elsewhere, arms)


def _answer(cell: Cell, run: dict[str, Any], whole: bool = False, arm: str = "") -> None:
    """Report a finished run's result from disk, with the options it was made with if others are requested now.

    Args:
        run: its record as this command read it first; another may train it anew meanwhile.
        whole: read the weights to compare them with the record; else only their size is.
        arm: the name of its arm in this sweep, which begins the line.
    """
    RunDirectory(cell.directory).tidy_finished()
    result = run["result"] or {}
    outcome = shortened(run.get("error") or score_words(result))
    say(f"{arm}{': ' if arm else ''}{cell.directory}: {run['status']} already, {outcome} (rerun=true trains again)")
    row = read_row(str(cell.directory), cell.directory.name)
    if row.status is Status.DAMAGED:
        say(f"  tables call it damaged: {row.values['error']}; {row.mend}")
    for other in (metrics_disagreement(cell.directory, run), weights_disagreement(cell.directory, run, whole)):
        if other is not None:
            say(f"  {other}; put the run's own file back, or train again")
    asked = with_relative_paths(cell.config, cell.directory)
    if others := other_circumstances(asked, run, probe_kind()):
        say(f"  it was made with {', '.join(others)}; rerun=true makes it as asked for now, and keeps its files aside")
    now = own_code(cell.config)
    then = code_of_parts(run["environment"])
    if changed := sorted(module for module in then.keys() & now.keys() if then[module] != [now[module]]):
        has = f"{' and '.join(changed)} {'has' if len(changed) == 1 else 'have'} changed since"
        say(f"  its code was another: {has}; rerun=true trains it anew by that of now, and keeps its files aside")


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
    """The traces now. Raises RunFailed if no run was begun since `before`: launching them again would never end."""
    if (now := _traces(cells)) == before:
        left = [cell.directory for cell in cells if recorded_status(cell.directory) is None]
        which = f"{(left or [cells[0].directory])[0]}: "
        why = "its own log may say why, or the run was moved or removed meanwhile"
        raise RunFailed(f"{which}the launcher ended without beginning this run; {why}")
    return now


def _status(cell: Cell) -> Status | None:
    with contextlib.suppress(Damaged):
        return effective_status(read_run(cell.directory), cell.directory)
    return None


def _exit_code(
    cells: list[Cell], signals: StopSignals, reason: str | None, whole: bool = False, cancels: bool = False
) -> int:
    """The exit code, from the runs' records, so that it doesn't depend on the launcher.

    Args:
        whole: nothing but these runs was to do. Once they are done a signal changes nothing.
        cancels: whether a cluster may cancel runs. One without a record may then be as its user wanted it: no failure.
    """
    statuses = [_status(cell) for cell in cells]
    if signals.received is not None and not (whole and _all_settled(cells)):
        return signals.exit_code
    gone = [cell.directory for cell, status in zip(cells, statuses, strict=True) if status is None]
    if gone and reason is None:
        others = f" and {counted(len(gone) - 1, 'other')}" if len(gone) > 1 else ""
        why = f"{'cancelled before it began, ' if cancels else ''}moved, removed or damaged meanwhile"
        tell(f"{gone[0]}{others}: no whole record: {why}; the same command goes on")
        if not cancels:
            return 1
    if Status.FAILED in statuses or reason == Status.FAILED:
        return 1
    return 0 if _all_settled(cells) else 130


def _all_settled(cells: list[Cell]) -> bool:
    return all((status := _status(cell)) is not None and status.settled for cell in cells)
