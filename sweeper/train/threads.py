"""Divides the CPU's cores among the runs of a sweep, so that they don't use more threads than cores."""

import contextlib
import errno
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sweeper.engine.numerics import threads_to_use
from sweeper.runs.record import find_finished
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.files import say_what_failed, shared_temporary_folder
from sweeper.system.machine import cores, likely_kind
from sweeper.train.signals import StopSignals

log = logging.getLogger("sweeper")


def share_of_cores(places: int) -> int:
    """The number of threads for each of `places` parallel runs."""
    return max(1, cores() // places)


def runs_at_a_time(places: int, threads: int, kind: str) -> int:
    """How many runs with `threads` each train at the same time in `places` processes; on a GPU, cores don't matter."""
    return min(places, max(1, cores() // threads)) if kind == "cpu" else places


@contextlib.contextmanager
def own_cores(config: dict[str, Any], directory: Path, new: int) -> Iterator[None]:
    """Context for a run of a sweep on the CPU: wait until the sweep's other runs leave as many cores as it has threads.

    Args:
        new: threads of a new run.
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
        if signals.received is not None:  # a signal to one worker stops the whole sweep
            sweep.request(Status.INTERRUPTED)
        return sweep.requested()

    threads = threads_to_use(config["device"]["threads"], new, directory, "cpu")
    if threads > new:
        log.warning("%s: it goes on with the %d threads it began with, so fewer runs go at a time", directory, threads)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_cores(threads, cores_file(sweep.key), stopped))
        except OSError as error:  # the temporary folder isn't writable or doesn't support locks
            log.warning("%s; the sweep's runs don't wait until cores are free", say_what_failed(error))
        yield


def cores_file(sweep: str) -> Path:
    """The sweep's lock file: byte 0 is locked by the process whose turn it is, byte k by the run that has core k."""
    return shared_temporary_folder() / f"cores-{sweep}"


@contextlib.contextmanager
def _cores(wanted: int, path: Path, stopped: Callable[[], bool]) -> Iterator[None]:
    """Context that holds `wanted` cores, at most all of them.

    Processes wait in turn, so that a run with many threads isn't starved. The operating system frees the cores of a
    process that ends in any way. If `stopped` returns true, the waiting ends.
    """
    import fcntl  # not available on Windows

    with path.open("wb") as file:

        def take(place: int) -> bool:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):  # not that another process has the lock
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
