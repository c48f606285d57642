"""Carries out one run: takes its lock, trains it, and records how it ended."""

import contextlib
import logging
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from sweeper.engine.devices import prepare_process
from sweeper.engine.memory import NoRoom
from sweeper.engine.pace import Turn
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import CHECKPOINT_FILES
from sweeper.runs.record import find_finished
from sweeper.runs.status import Status
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.errors import RunFailed
from sweeper.system.files import say_what_failed
from sweeper.system.lock import Lock, Locked, LockLost
from sweeper.system.text import counted
from sweeper.train.assignment import Assignment
from sweeper.train.deaths import is_passed_over
from sweeper.train.earlier import Earlier, make_way, read_earlier
from sweeper.train.signals import StopSignals
from sweeper.train.trackers.tracking import Tracking

if TYPE_CHECKING:
    from sweeper.train.outcome import Outcome

log = logging.getLogger("sweeper")


def execute_run(assignment: Assignment) -> Status:
    """Train the run, resume it from its checkpoint, or return the status of a finished one; see `run_in_steps`."""
    steps = run_in_steps(assignment)
    while True:
        try:
            turn = next(steps)
        except StopIteration as end:
            status: Status = end.value
            return status
        with contextlib.suppress(RuntimeError):  # a lost device: the run meets the same error at its next step
            turn.wait()


def run_in_steps(assignment: Assignment) -> Generator[Turn, None, Status]:
    """Carry out a run as a generator, so that one process can advance several runs in turn.

    Returns:
        The run's status; `locked` if another process trains it, `not started` if its sweep is being stopped,
        `passed over` if this launch must skip it.

    Raises:
        DeviceLost: the device no longer responds; another process can resume the run from its checkpoint.
        RunFailed: the run's files can't be written, so its record can't say that it failed.
        NoRoom: the memory ran out beside other runs of this process; with fewer of them the run can resume.
    """
    config, directory, in_sweep = assignment.config, assignment.directory, assignment.in_sweep
    sweep, told = SweepStop.current() if in_sweep else None, False
    run = assignment.files()
    while True:
        if sweep is not None and sweep.requested():
            run.remove_if_never_begun()
            return Status.NOT_STARTED
        if in_sweep and is_passed_over(directory):
            return Status.PASSED_OVER
        if not config["rerun"] and (finished := find_finished(directory)) is not None:
            status: Status = finished["status"]
            return status
        try:
            with run.lock() as lock, Tracking(config, run) as tracking:
                run.tidy()
                earlier = read_earlier(assignment)
                if earlier.status is not None and earlier.status.finished:
                    run.remove_checkpoints(*CHECKPOINT_FILES)  # left by a process that was killed after the last epoch
                    if not config["rerun"]:
                        return earlier.status  # another process finished it while we waited for the lock
                return (yield from _train(assignment, run, earlier, lock, tracking, sweep))
        except LockLost as lost:
            log.error("%s", assignment.as_typed(lost))
            return Status.LOCKED
        except Locked as locked:
            if in_sweep:
                return Status.LOCKED  # the sweep waits for it after all other runs
            if not told:
                log.info("%s: waiting for %s, which trains this run", directory, locked.owner)
                told = True
            if StopSignals.installed().received is not None:
                return Status.LOCKED
            time.sleep(1)
        except OSError as failure:
            what = assignment.as_typed(say_what_failed(failure))
            reason = f"{what}; when it can be read and written, the same command goes on from what is whole"
            if in_sweep:  # report it now: the exception is printed only at the sweep's end
                log.error("%s: failed: %s", directory, reason)
            raise RunFailed(reason) from failure


def _train(
    assignment: Assignment,
    run: RunDirectory,
    earlier: Earlier,
    lock: Lock,
    tracking: Tracking,
    sweep: SweepStop | None,
) -> Generator[Turn, None, Status]:
    """Train a run whose lock is held, from its checkpoint if there is one, and record how it ended."""
    signals = StopSignals.installed()
    prepare_process(assignment.threads)
    from sweeper.train.attempt import Attempt  # imports torch, which reads the number of threads then
    from sweeper.train.outcome import classify, report
    from sweeper.train.presence import Presence

    earlier, kept = make_way(assignment, run, earlier)
    prepare_process(kept.threads)
    attempt = Attempt(assignment, run, earlier, kept, tracking, sweep)
    lock.facts = attempt.progress.facts
    outcome = yield from _to_the_end(
        attempt.steps(lock.check),
        lambda failure: classify(failure, run.path, signals.received is not None, Presence.runs_here()),
        attempt.close,
    )
    lock.check()
    status, error, result = outcome.status, outcome.error, attempt.result(outcome.status)
    with contextlib.suppress(OSError):  # what matters of a full disk is the outcome
        run.complete_metrics(attempt.rows)
    if outcome.out_of_memory:
        error = attempt.explain_out_of_memory() or error
    run.write_run(status, assignment.config, attempt.environment, result, error)
    tracking.end(attempt.rows, status, result)
    if outcome.no_room:
        raise NoRoom(f"{assignment.directory}: out of memory beside {counted(Presence.runs_here(), 'other')}")
    if status.finished:
        run.remove_checkpoints(*CHECKPOINT_FILES)
    if status is Status.FAILED and sweep is not None and assignment.config["fail_fast"]:
        sweep.request(Status.FAILED)
    report(assignment.directory, status, error, result, assignment.label)
    return status


def _to_the_end(
    steps: Generator[Turn, None, None],
    classify: Callable[[BaseException], "Outcome"],
    close: Callable[[], None],
) -> Generator[Turn, None, "Outcome"]:
    """Run all steps. An exception from a step ends the run; one that the caller throws in at a yield is passed on."""
    from sweeper.train.outcome import Outcome

    try:
        while True:
            try:
                turn = next(steps)
            except StopIteration:
                return Outcome(Status.COMPLETED)
            except BaseException as failure:  # also of sys.exit: one failed run must not stop the others
                return classify(failure)
            yield turn
    finally:
        steps.close()
        close()
