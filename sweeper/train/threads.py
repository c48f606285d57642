"""How many CPU threads a new run gets, and how many runs go at a time: their threads are never more than the cores."""

import contextlib
import errno
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.engine.numerics import threads_to_use
from sweeper.runs.record import find_finished
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.files import say_what_failed, temporary_folder
from sweeper.system.machine import cores, joblib_workers, likely_kind, parallel_runs
from sweeper.train.signals import StopSignals

if TYPE_CHECKING:
    from sweeper.config.grid import Grid
    from sweeper.config.resolved import Cell

log = logging.getLogger("sweeper")


def launcher_workers(launcher: Any) -> int:
    """How many processes of this machine the launcher of these options trains in."""
    return joblib_workers(int(launcher.get("n_jobs", 1))) if "joblib" in launcher.get("_target_", "") else 1


def new_run_threads(asked: int | None, launcher: Any) -> int:
    """Threads of a run that begins: as asked for, or else what Ray keeps free for it, or its share of the cores.

    The share follows from the launcher's options and the machine alone. It doesn't depend on how many runs the sweep
    has, or has left, so a run trained alone by the launcher and one of a whole sweep agree to the bit.
    """
    if asked is not None:
        return asked
    if "ray" in launcher:
        return max(1, int(launcher["ray"]["remote"].get("num_cpus") or 1))
    return share_of_cores(launcher_workers(launcher))


def share_of_cores(places: int) -> int:
    """Threads for each of so many runs at a time."""
    return max(1, cores() // places)


def runs_at_a_time(places: int, threads: int, kind: str) -> int:
    """How many runs of so many threads each go at a time in `places` processes; a GPU doesn't count cores."""
    return min(places, max(1, cores() // threads)) if kind == "cpu" else places


def about_threads(grid: "Grid", to_do: "list[Cell]") -> str | None:
    """One line for a sweep by joblib on the CPU whose runs can't all have a place, or leave cores idle."""
    device, runs = to_do[0].config["device"], len(grid.cells)
    if (
        "joblib" not in str(grid.launcher_options.get("_target_"))
        or likely_kind(to_do[0].config["device"]["kind"]) != "cpu"
    ):
        return None
    places = joblib_workers(grid.jobs) if grid.jobs is not None else parallel_runs("cpu", device["threads"])
    threads = device["threads"] or share_of_cores(places)
    each = f"each run has {threads} thread{'s' * (threads != 1)}"
    if (fewer := runs_at_a_time(places, threads, "cpu")) < min(places, len(to_do)):
        return f"{fewer} run{'s' * (fewer != 1)} at a time, not {places}: {each}, cores are {cores()}"
    if device["threads"] is None and len(to_do) == runs < places and (more := share_of_cores(runs)) > threads:
        return f"{each}, and cores stay idle; hydra.launcher.n_jobs={runs} gives each {more}"
    return None


@contextlib.contextmanager
def own_cores(config: dict[str, Any], directory: Path, new: int) -> Iterator[None]:
    """Around a run of a sweep on the CPU: wait until as many cores as it has threads are free of the sweep's others.

    Args:
        new: threads of a run that begins.
    """
    sweep, signals = SweepStop.current(), StopSignals.installed()
    if (
        sweep is None
        or likely_kind(config["device"]["kind"]) != "cpu"
        or (not config["rerun"] and find_finished(directory) is not None)
    ):
        yield
        return

    def stopped() -> bool:
        if signals.received is not None:  # a worker's signal is for the whole sweep
            sweep.request("interrupted")
        return sweep.requested()

    threads = threads_to_use(config["device"]["threads"], new, directory, "cpu")
    if threads > new:
        log.warning("%s: it goes on with the %d threads it began with, so fewer runs go at a time", directory, threads)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_cores(threads, cores_file(sweep.key), stopped))
        except OSError as error:  # a temporary folder that can't be written, or has no locks
            log.warning("%s; the sweep's runs don't wait until cores are free", say_what_failed(error))
        yield


def cores_file(sweep: str) -> Path:
    """One a sweep, with a byte for each core, locked by the run that has it, and first a byte for whose turn it is."""
    return temporary_folder() / f"cores-{sweep}"


@contextlib.contextmanager
def _cores(wanted: int, path: Path, stopped: Callable[[], bool]) -> Iterator[None]:
    """Have so many cores, or all of them. Processes wait in turn, so that many threads don't wait for ever; one that
    ends gives its cores back, however it ends. `stopped` ends the waiting."""
    import fcntl  # there is none on Windows

    with path.open("wb") as file:

        def take(place: int) -> bool:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):  # another process's
                    raise OSError(error.errno, error.strerror, str(path)) from None
                return False
            return True

        turn, *left = range(cores() + 1)
        missing = min(wanted, len(left))
        while not take(turn) and not stopped():
            time.sleep(0.1)
        while missing and not stopped():
            if got := next(filter(take, left), None):
                left.remove(got)
                missing -= 1
            else:
                time.sleep(0.1)
        fcntl.lockf(file, fcntl.LOCK_UN, 1, turn)
        yield
