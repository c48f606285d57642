"""One run from its configuration to its record: lock, train, and write down how it ended, whatever happens."""

import contextlib
import logging
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.engine.devices import prepare_process
from sweeper.engine.memory import NoRoom, explain_out_of_memory, is_out_of_memory, raise_if_lost
from sweeper.engine.numerics import begun_with, keep
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import CHECKPOINT_FILES, RUN_FILE
from sweeper.runs.previous import keep_files
from sweeper.runs.record import Damaged, OfAnotherRun, Refused, find_finished, read_run
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.errors import BadInput, RunFailed, named
from sweeper.system.files import say_what_failed
from sweeper.system.lock import Locked, LockLost
from sweeper.system.text import duration, percent
from sweeper.train.deaths import is_passed_over
from sweeper.train.live_table import is_shown
from sweeper.train.progress import Progress
from sweeper.train.search.pruning import why_pruned
from sweeper.train.signals import StopSignals
from sweeper.train.trackers.tracking import Tracking

if TYPE_CHECKING:
    from torch.cuda import Event

    from sweeper.datasets.data import Data
    from sweeper.engine.devices import Device

log = logging.getLogger("sweeper")

CHECK_LOCK_EVERY = 10.0  # seconds


def execute_run(
    config: dict[str, Any],
    directory: Path,
    parallel: int,
    threads: int,
    in_sweep: bool,
    overrides: list[str],
    bars: Sequence[float | None] | None = None,
) -> str:
    """Train the run, go on with it from its checkpoint, or answer from disk; see `run_in_steps`."""
    steps = run_in_steps(config, directory, parallel, threads, in_sweep, overrides, bars)
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            return str(end.value)
        if event is not None:
            with contextlib.suppress(RuntimeError):  # a lost device: the run meets the same error at its next step
                event.synchronize()


def run_in_steps(
    config: dict[str, Any],
    directory: Path,
    parallel: int,
    threads: int,
    in_sweep: bool,
    overrides: list[str],
    bars: Sequence[float | None] | None = None,
) -> Generator["Event | None", None, str]:
    """The same as a generator, so that one process can advance several runs in turn.

    Yields None where another run may have its turn, or an event that the device must reach before this one goes on.

    Args:
        parallel: runs that share this machine's device at a time.
        threads: of a run that begins; one that goes on keeps those it began with.
        overrides: the command line's, for the record.
        bars: of a search's run, for each epoch the best validation accuracy below which it is pruned.

    Returns:
        The run's status; `locked` when another process trains it, `not started` when its sweep is being stopped,
        `passed over` when another launch has it.

    Raises:
        DeviceLost: the device answers no more; the run can go on from its checkpoint in another process.
        RunFailed: its files can't be written any more, so not even its record tells.
        NoRoom: its memory is full, of other runs of this process too; it can go on when they are fewer.
    """
    sweep, told = SweepStop.current() if in_sweep else None, False
    run = RunDirectory(directory.absolute())  # wherever the run itself goes
    while True:
        if sweep is not None and sweep.requested():
            run.remove_if_never_begun()
            return "not started"
        if in_sweep and is_passed_over(directory):
            return "passed over"
        if not config["rerun"] and (finished := find_finished(directory)) is not None:
            return str(finished["status"])
        try:
            with run.lock() as lock, Tracking(config, run) as tracking:
                run.tidy()
                if not config["rerun"] and (finished := find_finished(directory)) is not None:
                    return str(finished["status"])  # its owner came to its end while we waited for the lock
                return (
                    yield from _train(
                        config, run, directory, lock.check, parallel, threads, sweep, overrides, tracking, bars
                    )
                )
        except LockLost as lost:
            log.error("%s", _as_typed(lost, run, directory))
            return "locked"
        except Locked as locked:
            if in_sweep:
                return "locked"  # the sweep comes back to it after all others
            if not told:
                log.info("%s: waiting for %s, which trains this run", directory, locked.owner)
                told = True
            if StopSignals.installed().received is not None:
                return "locked"
            time.sleep(1)
        except OSError as failure:
            what = _as_typed(say_what_failed(failure), run, directory)
            reason = f"{what}; when it can be written, the same command goes on from what is whole"
            if in_sweep:  # which comes to its end first
                log.error("%s: failed: %s", directory, reason)
            raise RunFailed(reason) from failure


def _train(
    config: dict[str, Any],
    run: RunDirectory,
    directory: Path,
    check_lock: Callable[[], None],
    parallel: int,
    threads: int,
    sweep: SweepStop | None,
    overrides: list[str],
    tracking: Tracking,
    bars: Sequence[float | None] | None,
) -> Generator["Event | None", None, str]:
    signals = StopSignals.installed()
    prepare_process(threads)
    from sweeper.datasets.data import load_run_data
    from sweeper.engine.devices import best_kind, choose_device, reset_peak_memory
    from sweeper.engine.loop import Diverged, Stopped, train
    from sweeper.train.presence import DeviceTime, Presence, shared_before
    from sweeper.train.process_state import ProcessState
    from sweeper.train.record import describe_environment, summarize_rows

    if not config["rerun"]:
        _keep_what_is_damaged(run, directory)
    kind = best_kind(config["device"]["kind"])
    kept = keep(config["device"], threads, begun_with(run), kind)
    if config["rerun"]:
        run.set_aside(even_interrupted=bool(kept.refused))
        kept = keep(config["device"], threads, begun_with(run), kind)
    prepare_process(kept.threads)
    device_time = DeviceTime(run.path, parallel)
    environment: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    shared = True if parallel > 1 else shared_before(run.path)
    status, error, memory_full = "failed", None, False
    pruned: str | None = None
    judged = 0  # rows
    device: Device | None = None
    data: Data | None = None
    progress = Progress(config["epochs"], quiet=sweep is not None)
    state: ProcessState | None = None
    its_turn = True  # False while its driver has others advance, or closes it

    def show(row: dict[str, Any]) -> None:
        progress.show(row)
        tracking.epoch(rows)

    level = logging.INFO if sweep is None else logging.DEBUG
    try:
        for line in kept.lines:
            log.warning("%s: %s", directory, line)
        device = choose_device(kept.options, kept.threads)
        state = ProcessState()
        with state:
            data = load_run_data(config)
        environment = describe_environment(config, run.path, device, data, overrides)
        environment["device_seconds"] = device_time.count()  # what it cost of its device, its share if several ran
        run.write_run("running", config, environment)
        tracking.start()
        run.write_corrupted_labels(data.corrupted_labels())
        log.log(level, "%s", device.line())
        log.log(level, "data: %s", data.form)
        if Presence.runs_here() == 0:
            reset_peak_memory(device.kind)
        loop = train(config, data, device, run, rows, show, environment)
        with Presence(device.kind) as presence:
            checked = time.monotonic()
            for event in state.turns(loop):
                if signals.received is not None and sweep is not None and not signals.of_one_job:
                    sweep.request("interrupted")  # a worker's signal, too, is for the whole sweep
                if signals.received is not None or (sweep is not None and sweep.requested()):
                    with state:
                        loop.throw(Stopped())
                if bars is not None and len(rows) > judged:
                    judged = len(rows)
                    if (pruned := why_pruned([row["val_accuracy"] for row in rows], bars)) is not None:
                        with state:
                            loop.throw(Stopped())
                device_time.count()
                if time.monotonic() - checked > CHECK_LOCK_EVERY:
                    check_lock()
                    presence.look()
                    checked = time.monotonic()
                its_turn = False
                yield event
                its_turn = True
            presence.look()
            shared = True if presence.others else shared
        status = "completed"
    except Stopped:
        status, error = ("pruned", pruned) if pruned is not None else ("interrupted", None)
    except Diverged as divergence:
        status, error = "diverged", str(divergence)
    except LockLost:
        raise
    except (BadInput, RunFailed) as failure:
        error = str(failure)
    except OSError as failure:
        log.debug("%s", traceback.format_exc())
        error = say_what_failed(failure).removeprefix(f"{run.path}/")
    except BaseException as failure:  # sys.exit, too: one failed run must not stop the others; its log has all of it
        if not its_turn:
            raise
        log.debug("%s", traceback.format_exc())
        raise_if_lost(failure)
        memory_full = is_out_of_memory(failure)
        error = named(failure)
        if isinstance(failure, KeyboardInterrupt) and signals.received is not None:
            status, error = "interrupted", None
    finally:
        progress.close()
        if state is not None:
            state.close()
    check_lock()
    beside_others = memory_full and Presence.runs_here() > 0
    if beside_others:
        status, error = "interrupted", None
    if environment:
        environment["device_seconds"] = device_time.count()
    result = summarize_rows(rows, config, environment, status, shared)
    if memory_full and not beside_others and data is not None and device is not None:
        error = explain_out_of_memory(config, data, device)
    run.write_run(status, config, environment, result, error)
    tracking.end(rows, status, result)
    if beside_others:
        raise NoRoom(f"{directory}: out of memory beside {Presence.runs_here()} others")
    if status in ("completed", "diverged"):
        run.remove_checkpoints(*CHECKPOINT_FILES)
    if status == "failed" and sweep is not None and config["fail_fast"]:
        sweep.request("failed")
    _tell(directory, status, error, result)
    return status


def _as_typed(words: object, run: RunDirectory, directory: Path) -> str:
    """An error's words with the directory as the user named it."""
    return str(words).replace(str(run.path), str(directory))


def _keep_what_is_damaged(run: RunDirectory, directory: Path) -> None:
    """A record that can't be read any more is told of; what else there is of a result is kept under `previous/`.

    Raises:
        Refused: there is a record that may be whole.
    """
    try:
        read_run(run.path)
    except Refused:
        raise
    except Damaged as error:
        damage = _as_typed(error, run, directory)
        if _has_whole_checkpoint(run):
            kept = keep_files(run.path, [RUN_FILE]) if isinstance(error, OfAnotherRun) else None
            log.warning("%s%s; the run goes on from its checkpoint", damage, f"; it is kept in {kept}" if kept else "")
        elif (aside := run.set_aside()) is not None:
            log.warning(
                "%s; the run is trained anew, and what there is of it is kept in %s",
                damage,
                directory / aside.relative_to(run.path),
            )


def _has_whole_checkpoint(run: RunDirectory) -> bool:
    for name in CHECKPOINT_FILES:
        with contextlib.suppress(Damaged):
            if run.load_checkpoint(name) is not None:
                return True
    return False


def _tell(directory: Path, status: str, error: str | None, result: dict[str, Any]) -> None:
    """One line about the run's end, at once, whatever runs beside it."""
    if status == "failed":
        log.error("%s: failed: %s (more in its train.log)", directory, error)
    elif status == "diverged":
        log.warning("%s: diverged: %s", directory, error)
    elif status == "pruned":
        log.log(logging.DEBUG if is_shown() else logging.INFO, "%s: %s", directory, error)
    elif status == "interrupted":
        log.warning("%s: interrupted after epoch %s; the same command goes on", directory, result["epochs_done"])
    else:
        log.log(
            logging.DEBUG if is_shown() else logging.INFO,
            "%s: completed, test %s (best %s in epoch %s), %s of training",
            directory,
            percent(result["final_test_accuracy"]),
            percent(result["best_test_accuracy"]),
            result["best_epoch"],
            duration(result["train_seconds"]),
        )
