"""How a run ended: the one place where an error becomes a status, a line for the user, or an end of its process."""

import logging
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.engine.loop import Diverged, Stopped
from sweeper.engine.memory import is_out_of_memory, raise_if_lost
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput, RunFailed, named
from sweeper.system.files import say_what_failed
from sweeper.system.lock import LockLost
from sweeper.system.text import duration, percent
from sweeper.train.live_table import is_shown

log = logging.getLogger("sweeper")


class Pruned(Stopped):
    """Thrown into the loop when a search stops a run early; says why."""


@dataclass(frozen=True)
class Outcome:
    """A run's end.

    Attributes:
        error: one line; None where the status says it all.
        out_of_memory: the run alone is too large for its device.
        no_room: the device's memory was full of other runs of this process, too; it can go on when they are fewer.
    """

    status: Status
    error: str | None = None
    out_of_memory: bool = False
    no_room: bool = False


def classify(failure: BaseException, directory: Path, signalled: bool, others: int) -> Outcome:
    """The end that an exception out of a run's own code or ours means for the run; its traceback goes to the log.

    One failed run must not stop the others, so `sys.exit` and its like are the run's failures, too.

    Args:
        directory: absolute, as the run's files are named in errors.
        signalled: this process was asked to stop.
        others: runs that this process has at work beside this one.

    Raises:
        LockLost: another process may train the run now; nothing may be written.
        DeviceLost: the device answers this process no more.
    """
    match failure:
        case Pruned():
            return Outcome(Status.PRUNED, str(failure))
        case Stopped():
            return Outcome(Status.INTERRUPTED)
        case Diverged():
            return Outcome(Status.DIVERGED, str(failure))
        case LockLost():
            raise failure
        case BadInput() | RunFailed():
            return Outcome(Status.FAILED, str(failure))
    log.debug("%s", traceback.format_exc())
    if isinstance(failure, OSError):
        return Outcome(Status.FAILED, say_what_failed(failure).removeprefix(f"{directory}/"))
    raise_if_lost(failure)
    if isinstance(failure, KeyboardInterrupt) and signalled:
        return Outcome(Status.INTERRUPTED)
    if not is_out_of_memory(failure):
        return Outcome(Status.FAILED, named(failure))
    if others:
        return Outcome(Status.INTERRUPTED, no_room=True)
    return Outcome(Status.FAILED, named(failure), out_of_memory=True)


def report(directory: Path, status: Status, error: str | None, result: dict[str, Any]) -> None:
    """One line about the run's end, at once, whatever runs beside it."""
    if status is Status.FAILED:
        log.error("%s: failed: %s (more in its train.log)", directory, error)
    elif status is Status.DIVERGED:
        log.warning("%s: diverged: %s", directory, error)
    elif status is Status.INTERRUPTED:
        log.warning("%s: interrupted after epoch %s; the same command goes on", directory, result["epochs_done"])
    elif status is Status.PRUNED:
        log.log(_level(), "%s: %s", directory, error)
    else:
        log.log(
            _level(),
            "%s: completed, test %s (best %s in epoch %s), %s of training",
            directory,
            percent(result["final_test_accuracy"]),
            percent(result["best_test_accuracy"]),
            result["best_epoch"],
            duration(result["train_seconds"]),
        )


def _level() -> int:
    """A live table says it already."""
    return logging.DEBUG if is_shown() else logging.INFO
