"""Decides what an error means for a run, its status and message, and reports how the run ended."""

import logging
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.engine.device_errors import is_out_of_memory
from sweeper.engine.loop import Diverged, Stopped
from sweeper.engine.memory import raise_if_lost
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput, RunFailed, named
from sweeper.system.files import say_what_failed
from sweeper.system.lock import LockLost
from sweeper.system.text import duration, percent
from sweeper.train.label import name_run, score_words
from sweeper.train.live_table import is_shown

log = logging.getLogger("sweeper")


class Pruned(Stopped):
    """Thrown into the loop when a search stops a run early. Its message is the reason."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        error: a message of one line; None if the status says enough.
        out_of_memory: whether the run alone was too large for the device.
        no_room: whether the memory ran out beside other runs of this process; with fewer of them the run can resume.
    """

    status: Status
    error: str | None = None
    out_of_memory: bool = False
    no_room: bool = False


def classify(failure: BaseException, directory: Path, signalled: bool, others: int) -> Outcome:
    """Classify an exception that ended a run, raised by the run's own code or by ours. Its traceback goes to the log.

    One failed run must not stop the others, so `sys.exit` also counts as a failure of the run.

    Args:
        directory: the run's absolute directory, which is cut from error messages.
        signalled: whether this process has received a signal to stop.
        others: the number of other runs that this process trains.

    Raises:
        LockLost: another process may train the run now, so nothing may be written.
        DeviceLost: the device no longer responds to this process.
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


def report(directory: Path, status: Status, error: str | None, result: dict[str, Any], label: str = "") -> None:
    """Log one line about how the run ended.

    Args:
        label: what names the run in its sweep, before its directory; of a completed run that is at the line's end.
    """
    where = name_run(label, directory)
    if status is Status.FAILED:
        log.error("%s: failed: %s (more in its train.log)", where, error)
    elif status is Status.DIVERGED:
        log.warning("%s: diverged: %s", where, error)
    elif status is Status.INTERRUPTED:
        log.warning("%s: interrupted after epoch %s; the same command goes on", where, result["epochs_done"])
    elif status is Status.PRUNED:
        log.log(_level(), "%s: %s", where, error)
    else:
        best = f"best {percent(result['best_test_accuracy'])} in epoch {result['best_epoch']}"
        log.log(
            _level(),
            "%s: completed, %s%s, %s of training%s",
            label or directory,
            score_words(result),
            "" if result.get("final_val_accuracy") is not None else f" ({best})",
            duration(result["train_seconds"]),
            f"; {directory}" if label else "",
        )


def _level() -> int:
    """The log level: lower if the live table shows the end already."""
    return logging.DEBUG if is_shown() else logging.INFO
