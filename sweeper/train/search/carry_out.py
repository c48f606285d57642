"""Runs a search by Optuna in batches: ask for trials, train them by Hydra's launcher, tell Optuna the results.

A batch has the trials of the same numbers of every optimizer. All of them are asked for before the first run starts,
told after the last one ends, and pruned by the previous batches. So an interruption doesn't change the search's result.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sweeper.config.grammar import value_text
from sweeper.config.grid import Grid
from sweeper.config.resolved import Cell
from sweeper.config.search_space import Search
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import LOCK_FILE, METRICS_FILE
from sweeper.runs.metrics import read_metrics
from sweeper.runs.record import find_finished, recorded_status
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop, write_sweep
from sweeper.system.errors import BadInput
from sweeper.system.lock import Lock, Locked, is_alive, read_lock
from sweeper.system.terminal import say, tell
from sweeper.system.text import counted
from sweeper.train.deaths import tell_of_the_dead
from sweeper.train.hydra_hooks import result_of
from sweeper.train.label import Labelled, label_rows
from sweeper.train.launchers.interface import Launcher
from sweeper.train.launchers.registry import find_launcher
from sweeper.train.launches import Launches
from sweeper.train.live_table import show_sweep
from sweeper.train.search.pruning import median_bars, why_pruned
from sweeper.train.search.table import search_table
from sweeper.train.search.trials import SEARCH_DATABASE, STATUS, Trials
from sweeper.train.signals import StopSignals
from sweeper.train.sweep_end import sweep_at_work, update_tables
from sweeper.train.task import Launch, Task

SEARCH_LOCK = "search.lock"


@dataclass
class _AtWork:
    """The search that this process carries out."""

    search: Search
    trials: Trials
    stop: SweepStop
    at_once: int
    cells: dict[Path, Cell]
    launcher: Launcher


@dataclass
class _Asked:
    optimizer: str
    number: int
    cell: Cell
    overrides: list[str]
    bars: list[float | None] | None


def carry_out_search(
    grid: Grid,
    search: Search,
    prepare: Callable[[Grid, list[Cell]], None],
    train: Callable[[Task], None],
    exit_code: Callable[[list[Cell], StopSignals, str | None, bool, bool], int],
) -> int:
    """Start or continue the search, and print its results. Returns the command's exit code.

    Args:
        prepare: finds what is wrong with runs before they start.
        train: hands over to Hydra, whose sweeper calls the task's `search`.
        exit_code: of the runs' records.

    Raises:
        BadInput: the storage can't be used, or another process is using it.
    """
    begun = (grid.outputs / SEARCH_DATABASE).exists()
    if not begun:  # first, so that an error leaves no folder behind
        prepare(grid, grid.cells)
    try:
        with Lock(grid.outputs / SEARCH_LOCK):
            trials = Trials(grid.outputs / SEARCH_DATABASE, search)
            budget = search.options["trials"]
            told = [sum(trial.state.is_finished() for trial in trials.of(optimizer)) for optimizer in search.bases]
            names = counted(len(told), "optimizer")
            tell(f"search: {names} × {counted(budget, 'trial')}, {sum(told):,} done already, in {grid.outputs}/")
            if sum(told) == len(told) * budget:
                written = update_tables(str(grid.outputs))
                say(search_table(trials, str(grid.outputs)), styled=True)
                return 0 if written else 1
            if begun:
                prepare(grid, grid.cells)
            at_once = trials.at_once(lambda: trials_at_once(grid, search))
            if at_once > 1:
                tell(f"{at_once} trials of each optimizer are asked for at once")
            if drawn := [optimizer for optimizer in search.bases if not search.usual[optimizer]]:
                why = "usual values lie outside of the space, so its first trial is drawn like the others"
                tell(f"{', '.join(drawn)}: {why}")
            launcher = find_launcher(grid.launcher_options)
            at_work = sweep_at_work(grid, at_once * len(told), launcher.outlives)
            with at_work as (stop, signals):
                work = _AtWork(search, trials, stop, at_once, {}, launcher)
                show_sweep(grid.outputs)
                train(Task(search=partial(_carry_on, work)))
                written = update_tables(str(grid.outputs))
                say(search_table(trials, str(grid.outputs)), styled=True)
                code = exit_code([*work.cells.values()], signals, stop.reason(), False, launcher.cancels)
                return code or (0 if written else 1)
    except Locked as locked:
        wait = "wait for it, or choose another folder by outputs=DIR"
        raise BadInput(f"{grid.outputs}: {locked.owner} runs a search here; {wait}") from locked


def trials_at_once(grid: Grid, search: Search) -> int:
    """Of one optimizer, where no number was asked for: as many as keep the launcher's processes at work, but no more
    than are drawn blindly anyway, since values that are asked for at once can't learn from one another."""
    jobs = find_launcher(grid.launcher_options).at_a_time(grid.launcher_options)
    return max(1, min(-(-jobs // len(search.bases)), search.options["startup_trials"]))


def _carry_on(work: _AtWork, launch: Launch) -> list[Sequence[Any]]:
    """All batches that are not done; what Hydra's sweeper does. Returns what the launcher gave for each."""
    returns: list[Sequence[Any]] = []
    budget, first_job = work.search.options["trials"], 0
    for start in range(0, budget, work.at_once):
        if work.stop.requested():
            break
        batch = _ask(work, range(start, min(start + work.at_once, budget)))
        tell_of_the_dead(Labelled(asked.cell.directory, asked.cell.config, asked.overrides) for asked in batch)
        own = {asked.cell.directory: asked.overrides for asked in batch}
        launches = Launches([asked.cell for asked in batch], work.launcher, work.stop, own)
        while batch := [asked for asked in batch if not _told(work, asked)]:
            plan = [(asked.cell.directory, asked.cell.config["epochs"], False) for asked in batch]
            labelled = [Labelled(asked.cell.directory, asked.cell.config, asked.overrides) for asked in batch]
            write_sweep(work.stop.path.parent, work.stop.key, plan, label_rows(labelled, {}))
            for asked in batch:  # Hydra opens the log of each
                RunDirectory(asked.cell.directory).remove_links()

            def begin(ended: list[Path], batch: list[_Asked] = batch) -> None:
                nonlocal first_job
                jobs = [_job(asked) for asked in batch if asked.cell.directory not in ended]
                first_job += len(jobs)
                returns.append(launch(jobs, initial_job_idx=first_job - len(jobs)) if jobs else [])
                for result in returns[-1]:
                    result_of(result)  # raises an error of Hydra itself

            launches.launch(begin)
            batch = [asked for asked in batch if not _told(work, asked)]
            if work.stop.requested() or not _wait_for_others(work, batch):
                break
    return returns


def _job(asked: _Asked) -> list[str]:
    return [*asked.overrides, f"hydra.sweeper.prune_below={value_text(asked.bars)}"]


def _ask(work: _AtWork, numbers: range) -> list[_Asked]:
    """The trials with these numbers, of every optimizer, that haven't been told to Optuna yet."""
    batch = []
    for number in numbers:
        for optimizer in work.search.bases:
            known = work.trials.of(optimizer)
            if number < len(known) and known[number].state.is_finished():
                continue
            cell, overrides = work.search.trial(optimizer, work.trials.ask(optimizer, number))
            batch.append(_Asked(optimizer, number, cell, overrides, _bars(work, optimizer, numbers.start, cell)))
            work.cells[cell.directory] = cell
    return batch


def _bars(work: _AtWork, optimizer: str, before: int, cell: Cell) -> list[float | None] | None:
    options = work.search.options
    if not options["prune"]:
        return None
    earlier = work.trials.of(optimizer)[:before]
    curves = [trial.intermediate_values for trial in earlier if trial.user_attrs.get(STATUS) == Status.COMPLETED]
    return median_bars(curves, cell.config["epochs"], options["startup_trials"], options["warmup_epochs"])


def _told(work: _AtWork, asked: _Asked) -> bool:
    """Tell Optuna the result of a run that has ended. A failed or interrupted one stays open for the same command."""
    directory = asked.cell.directory
    status, value = None, None
    if (finished := find_finished(directory)) is not None:
        status, value = finished["status"], (finished["result"] or {}).get("final_val_accuracy")
        if status is Status.COMPLETED and value is None:  # a record from elsewhere
            status = Status.DIVERGED
    elif recorded_status(directory) is Status.PRUNED:
        status = Status.PRUNED
    if status is None:
        return False
    rows, _ = read_metrics(directory / METRICS_FILE)  # after the record, which a run writes when they are whole
    if status is Status.PRUNED and not why_pruned([row["val_accuracy"] for row in rows], asked.bars):
        return False
    curve = {int(row["epoch"] or 0): row["val_accuracy"] for row in rows if row["val_accuracy"] is not None}
    work.trials.tell(asked.optimizer, asked.number, status, curve, len(rows), value)
    return True


def _wait_for_others(work: _AtWork, batch: list[_Asked]) -> bool:
    """Wait for the runs of the batch that other commands train. False if there were none."""
    waited = False
    for asked in batch:
        lock = asked.cell.directory / LOCK_FILE
        while not work.stop.requested() and (seen := read_lock(lock)) is not None and is_alive(lock, seen):
            waited = True
            time.sleep(1)
    return waited
