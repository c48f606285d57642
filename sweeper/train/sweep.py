"""A command line's runs carried out, answered from disk, or waited for."""

import contextlib
import sys
import time

import sweeper.train.launchers.slurm
from sweeper.config.grid import Grid
from sweeper.config.launchers import is_slurm
from sweeper.config.resolved import Cell, other_circumstances
from sweeper.runs.access import check_readable, check_writable
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import with_relative_paths
from sweeper.runs.layout import HYDRAS_SWEEP_FILE, LOCK_FILE
from sweeper.runs.record import Damaged, effective_status, find_finished, read_run, recorded_status
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop, tidy_folder, write_sweep
from sweeper.system.files import clear_way
from sweeper.system.lock import is_alive, read_lock
from sweeper.system.machine import likely_kind, probe_kind
from sweeper.system.processes import describe
from sweeper.system.terminal import say
from sweeper.system.text import percent
from sweeper.train.deaths import tell_of_the_dead
from sweeper.train.launchers.slurm import check_cluster
from sweeper.train.launches import Launches
from sweeper.train.live_table import show_sweep
from sweeper.train.search.carry_out import carry_out_search
from sweeper.train.signals import StopSignals
from sweeper.train.sweep_end import sweep_at_work, update_tables
from sweeper.train.task import _train_by_hydra
from sweeper.train.threads import about_threads


def _carry_out(grid: Grid) -> int:
    check_readable(grid.outputs, (cell.directory for cell in grid.cells))
    to_do = [cell for cell in grid.cells if cell.config["rerun"] or find_finished(cell.directory) is None]
    done = len(grid.cells) - len(to_do)
    if to_do:
        check_writable(grid.outputs, [cell.directory for cell in to_do])
    tidy_folder(grid.outputs)
    clear_way(grid.outputs / HYDRAS_SWEEP_FILE)
    for cell in grid.cells:  # Hydra opens the log of each
        RunDirectory(cell.directory).remove_links()
    if grid.search is not None:
        return carry_out_search(grid, grid.search, _prepare, _train_by_hydra, _exit_code)
    if not grid.sweep:
        return _carry_out_one(grid.cells[0], bool(to_do))
    for cell in grid.cells:
        if cell not in to_do:
            _answer(cell)
    runs = "1 run" if len(grid.cells) == 1 else f"{len(grid.cells)} runs"
    print(f"{runs}, {done} done already, in {grid.outputs}/", file=sys.stderr)
    if not to_do:
        return 0 if update_tables(str(grid.outputs)) else 1
    _prepare(grid, to_do)
    if by_slurm := is_slurm(grid.launcher_options):
        sweeper.train.launchers.slurm.to_queue = {cell.number for cell in to_do}
    if advice := _faster_launcher(grid.launcher, to_do):
        print(advice, file=sys.stderr)
    if line := about_threads(grid, to_do):
        print(line, file=sys.stderr)
    plan = [(cell.directory, cell.config["epochs"], cell.config["rerun"]) for cell in grid.cells]
    waits = len(to_do) > 1 and not by_slurm and grid.launcher != "ray"
    later = tell_of_the_dead((cell.directory for cell in to_do), ", after the others" if waits else "")
    with sweep_at_work(grid.outputs, len(to_do)) as (stop, signals):
        write_sweep(grid.outputs, stop.key, plan)
        show_sweep(grid.outputs)
        launches = Launches(to_do, str(grid.launcher_options.get("_target_")), stop)
        if waits and 0 < len(later) < len(to_do):  # they may end this process, too
            launches.launch(lambda ended: _train_by_hydra([*later, *ended]))
            update_tables(str(grid.outputs))
        launches.launch(_train_by_hydra)
        while _wait_for_others(to_do, stop, by_slurm):
            show_sweep(grid.outputs)
            launches.launch(_train_by_hydra)
        written = update_tables(str(grid.outputs))
        if (left := sum(_status(cell) is None for cell in to_do)) and stop.reason() is not None:
            print(f"{left} more not begun; the same command goes on", file=sys.stderr)
        return _exit_code(to_do, signals, stop.reason()) or (0 if written else 1)


def _carry_out_one(cell: Cell, to_do: bool) -> int:
    if not to_do:
        _answer(cell)
        return 0
    tell_of_the_dead([cell.directory])
    _rehearse([cell])
    signals = StopSignals()
    _train_by_hydra()
    return _exit_code([cell], signals, None)


def _prepare(grid: Grid, cells: list[Cell]) -> None:
    """Everything that can be found wrong before a sweep's runs start; first the cluster, if there is one."""
    if by_slurm := is_slurm(grid.launcher_options):
        check_cluster(grid.launcher_options)
    if grid.launcher == "ray":
        from sweeper.train.launchers.ray import connect

        connect(grid.launcher_options)
    _rehearse(cells, by_slurm or grid.launcher == "ray")


def _rehearse(cells: list[Cell], elsewhere: bool = False) -> None:
    """Everything that can be found wrong before a run starts: the folder, the device, data, model, optimizer."""
    from sweeper.train.rehearse import rehearse

    rehearse([cell.config for cell in cells], elsewhere)


def _faster_launcher(launcher: str, to_do: list[Cell]) -> str | None:
    """One line for a sweep that leaves a GPU half idle by the default launcher; None where there is nothing better."""
    if launcher != "local" or len(to_do) < 2 or likely_kind(to_do[0].config["device"]["kind"]) != "cuda":
        return None
    return "one run at a time on this GPU; hydra/launcher=packed trains several at once and is faster in total"


def _answer(cell: Cell) -> None:
    """Tell a finished run's result from disk, and where it was made otherwise than now asked for."""
    run = find_finished(cell.directory)
    assert run is not None
    RunDirectory(cell.directory).tidy_finished()
    result = run["result"] or {}
    outcome = run["error"] or f"test {percent(result.get('final_test_accuracy'))}"
    say(f"{cell.directory}: {run['status']} already, {outcome} (rerun=true trains again)")
    asked = with_relative_paths(cell.config, cell.directory)
    if others := other_circumstances(asked, run, probe_kind()):
        say(f"  it was made with {', '.join(others)}")


def _wait_for_others(cells: list[Cell], stop: SweepStop, by_slurm: bool) -> bool:
    """Wait for runs that other processes train. True when one of them was left unfinished by its owner.

    By Slurm an unfinished run that nobody was seen to train is one that was cancelled there, and not begun again.
    """
    unfinished = False
    for cell in cells:
        lock = cell.directory / LOCK_FILE
        told = False
        while not stop.requested() and (seen := read_lock(lock)) is not None and is_alive(lock, seen):
            if not told:
                print(f"{cell.directory}: waiting for {describe(seen)}", file=sys.stderr, flush=True)
                told = True
            time.sleep(1)
        left = (status := recorded_status(cell.directory)) is None or status.goes_on  # by no one any more
        unfinished = unfinished or (left and (told or not by_slurm))
    return unfinished and not stop.requested()


def _status(cell: Cell) -> Status | None:
    with contextlib.suppress(Damaged):
        return effective_status(read_run(cell.directory), cell.directory)
    return None


def _exit_code(cells: list[Cell], signals: StopSignals, reason: str | None) -> int:
    """From the runs' own records, which hold with every launcher."""
    statuses = [_status(cell) for cell in cells]
    if signals.received is not None:
        return signals.exit_code
    if Status.FAILED in statuses or reason == Status.FAILED:
        return 1
    if any(status is None or not status.settled for status in statuses):
        return 130
    return 0
