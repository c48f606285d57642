"""`python -m sweeper.train`: one run, or with `-m` a sweep; where Hydra, the run directory and the loop meet."""

import contextlib
import io
import os
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

import sweeper.resolvers  # conf/ needs them, in every worker
import sweeper.slurm
from sweeper import __version__
from sweeper.access import check_readable, check_writable
from sweeper.command import exit_code_of, say
from sweeper.compose import CONF, Grid, compose_grid, read_command_line
from sweeper.config import Cell, other_circumstances, resolve_config
from sweeper.deaths import passing_over, tell_of_the_dead
from sweeper.devices import likely_kind, probe_kind
from sweeper.errors import BadInput, RunFailed
from sweeper.execute import execute_run, run_in_steps
from sweeper.files import clear_way, say_what_failed
from sweeper.identity import run_name, with_relative_paths
from sweeper.launches import Launches
from sweeper.lock import describe, is_alive, read_lock
from sweeper.numerics import threads_to_use
from sweeper.overrides import MOST_RUNS
from sweeper.process_end import end_with
from sweeper.progress import percent
from sweeper.runs import (
    HYDRAS_SWEEP_FILE,
    LOCK_FILE,
    Damaged,
    RunDirectory,
    effective_status,
    find_finished,
    read_run,
    recorded_status,
)
from sweeper.search import carry_out_search
from sweeper.slurm import check_cluster, is_slurm
from sweeper.stopping import StopSignals, SweepStop
from sweeper.sweep_end import RUNS_VARIABLE, sweep_at_work, update_tables
from sweeper.sweep_show import show_sweep
from sweeper.sweeps import tidy_folder, write_sweep
from sweeper.threads import about_threads, launcher_workers, new_run_threads, own_cores, runs_at_a_time

# Hydra's flags that ask for something else than training; what they show of a run is checked first.
_ASKING = ("--help", "-h", "--hydra-help", "--shell-completion", "-sc")


def main() -> int:
    """The command line. Returns the exit code: 0 all runs completed or diverged, 1 one failed or the tables couldn't be
    written, 2 bad input, 130 or 143 interrupted."""
    return end_with(exit_code_of(lambda: _train(sys.argv[1:])))


def _train(arguments: list[str]) -> int:
    if "--version" in arguments:
        say(f"sweeper {__version__}")
        return 0
    if any(a.split("=")[0] in _ASKING for a in arguments):
        _ask_hydra()
        return 0
    grid = compose_grid(arguments)
    asked = read_command_line(arguments)
    if asked.cfg or asked.info:
        _ask_hydra()
        return 0
    overrides = asked.overrides
    # Hydra itself refuses options on both sides of a flag, as in `optimizer=lion -m seed=1,2`.
    sys.argv[1:] = [*(a for a in arguments if a not in overrides), *overrides]
    return _carry_out(grid)


def _ask_hydra() -> None:
    """Have Hydra answer what trains nothing; it would show a traceback for a reader that has seen enough."""
    answer = io.StringIO()
    try:
        with contextlib.redirect_stdout(answer):
            _run_hydra()
    finally:
        say(answer.getvalue(), end="")


def _train_by_hydra(leave_alone: Sequence[Path] = ()) -> None:
    """Hand over to Hydra, which shows a traceback for what its launcher couldn't do; we say it in a line.

    Args:
        leave_alone: directories of runs.

    Raises:
        BadInput: there is a record that may not be read, which was found by a search or a worker alone.
        RunFailed: Hydra or its launcher failed outside of any run, e.g. a worker was killed for its memory.
    """
    asked_for_all = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise what it would print
    arguments = list(sys.argv)
    sys.argv += passing_over(leave_alone)
    try:
        _run_hydra()
    except Exception as error:
        if asked_for_all or isinstance(error, (BadInput, RunFailed)):
            raise
        what = say_what_failed(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        raise RunFailed(f"{what}; HYDRA_FULL_ERROR=1 shows where") from error
    finally:
        sys.argv[:] = arguments
        if not asked_for_all:
            del os.environ["HYDRA_FULL_ERROR"]


def run_one(cfg: DictConfig) -> str:
    """What Hydra calls for each run, in whatever process its launcher chose. Returns the run's status."""
    run, sweep = _what_to_run(cfg), SweepStop.current()
    beside_others = sweep is not None and launcher_workers(HydraConfig.get().launcher) > 1
    with own_cores(run["config"], run["directory"], run["threads"]) if beside_others else contextlib.nullcontext():
        status = execute_run(**run)
    if status == "interrupted" and not (sweep is not None and sweep.requested()):
        StopSignals.installed().requeue()
    return status


def _run_one_in_steps(cfg: DictConfig) -> Generator[Any, None, str]:
    """What the launcher `packed` calls instead: the same as a generator of steps."""
    return run_in_steps(**_what_to_run(cfg))


run_one.in_steps = _run_one_in_steps  # type: ignore[attr-defined]  # by which `packed` knows a task it can interleave
_run_hydra = hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(run_one)


def _what_to_run(cfg: DictConfig) -> dict[str, Any]:
    hydra_config = HydraConfig.get()
    config = resolve_config(cfg, hydra_config.runtime.choices)
    launcher = hydra_config.launcher if hydra_config.mode == RunMode.MULTIRUN else {}
    places = min(launcher_workers(launcher), int(os.environ.get(RUNS_VARIABLE, MOST_RUNS)))
    directory, kind = Path(config["outputs"]) / run_name(config), likely_kind(config["device"]["kind"])
    threads = new_run_threads(asked := config["device"]["threads"], launcher)
    return {
        "config": config,
        "directory": directory,
        "parallel": runs_at_a_time(places, threads_to_use(asked, threads, directory, kind), kind),
        "threads": threads,
        "in_sweep": hydra_config.mode == RunMode.MULTIRUN,
        "overrides": list(hydra_config.overrides.task),
        "bars": hydra_config.sweeper.get("prune_below"),
    }


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
        sweeper.slurm.to_queue = {cell.number for cell in to_do}
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
        from sweeper.ray_cluster import connect

        connect(grid.launcher_options)
    _rehearse(cells, by_slurm or grid.launcher == "ray")


def _rehearse(cells: list[Cell], elsewhere: bool = False) -> None:
    """Everything that can be found wrong before a run starts: the folder, the device, data, model, optimizer."""
    from sweeper.prepare import rehearse

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
        left = recorded_status(cell.directory) in ("running", "interrupted", None)  # by no one any more
        unfinished = unfinished or (left and (told or not by_slurm))
    return unfinished and not stop.requested()


def _status(cell: Cell) -> str | None:
    with contextlib.suppress(Damaged):
        return effective_status(read_run(cell.directory), cell.directory)
    return None


def _exit_code(cells: list[Cell], signals: StopSignals, reason: str | None) -> int:
    """From the runs' own records, which hold with every launcher."""
    statuses = [_status(cell) for cell in cells]
    if signals.received is not None:
        return signals.exit_code
    if "failed" in statuses or reason == "failed":
        return 1
    if any(status not in ("completed", "diverged", "pruned") for status in statuses):
        return 130
    return 0


if __name__ == "__main__":
    # Under the name __main__ the function could not be found again by a launcher's workers.
    from sweeper.train import main as main_of_module

    sys.exit(main_of_module())
