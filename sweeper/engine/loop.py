"""The training loop, written as a generator that yields after each burst of steps, so that its driver can stop it.

On CUDA an epoch's results are read while the device already trains the next epoch.
"""

import contextlib
import math
import time
from collections.abc import Callable, Generator
from typing import Any

from sweeper.datasets.data import Data
from sweeper.engine.averaging import as_judged, begin_training
from sweeper.engine.checkpoint import begin_anew, load_state, save_state
from sweeper.engine.checkpoint_form import Signature
from sweeper.engine.devices import Device
from sweeper.engine.numerics import describe
from sweeper.engine.pace import Pace, Turn
from sweeper.engine.results import EpochResults
from sweeper.engine.training import build_training
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import run_name

Row = dict[str, Any]

# Seconds of training that a killed process loses at most, unless `checkpoint_every` is set.
CHECKPOINT_AFTER = 60.0

# Seconds between two writings of `metrics.csv` on CUDA, where an epoch may be shorter than a write to the disk.
METRICS_EVERY = 1.0

# Times ln(classes), the loss of guessing: a run that ends above this has diverged, unless `divergence_loss` is set. A
# model that learns anything ends at a few times ln(classes) at most, with label smoothing and wrong labels too.
SENSELESS = 1e6


class Stopped(Exception):
    """Thrown into the loop at a yield to stop it: the loop writes its checkpoint and raises this again."""


class Diverged(Exception):
    """The loss isn't finite, is above `divergence_loss`, or ends beyond `SENSELESS`. The message says where."""


def train(
    config: dict[str, Any],
    data: Data,
    device: Device,
    run: RunDirectory,
    rows: list[Row],
    show: Callable[[Row], None],
    facts: dict[str, Any],
) -> Generator[Turn, None, None]:
    """Train one run to its end, from its checkpoint if it has one.

    Yields after each burst of steps, see `sweeper.engine.bursts`. Writes `metrics.csv` and `checkpoint.pt`, if
    `resumable`, while it trains, and `model.safetensors` at the end. The driver writes `run.json`.

    Args:
        rows: an empty list; gets one row of metrics per epoch.
        show: called with each epoch's row of metrics.
        facts: the record's environment; the loop adds `tier`, see `sweeper.engine.graphs`, and `earlier`, see
            `sweeper.engine.numerics`.

    Raises:
        Diverged: after the row of the epoch in which the run diverged; by `SENSELESS` only at the end of the last.
        Stopped: the driver has thrown it in.
        RunFailed: the checkpoint was made on other data.
    """
    seed, epochs, every = (config[k] for k in ("seed", "epochs", "checkpoint_every"))
    parts = build_training(config, data, device)
    model, optimizer, meter, step, sizes = parts.model, parts.optimizer, parts.meter, parts.step, parts.sizes
    finished: list[EpochResults] = []  # of the epoch before, if its row isn't written yet
    facts["memory_format"] = describe(step.device)["memory_format"]  # the one that this model needs
    signature = Signature(run_name(config), data.digest, epochs, len(sizes), data.val is not None)
    first_epoch, done = (
        load_state(run, parts.stateful, rows, signature, facts) if config["resumable"] else begin_anew(run, facts)
    )
    pace = Pace(device.kind, done)
    begin_training(optimizer)
    run.write_metrics(rows)
    saved, replayed = time.monotonic(), False

    def is_due() -> bool:
        """Whether a checkpoint must be written, so that a killed process loses little."""
        return every is None and time.monotonic() - saved > CHECKPOINT_AFTER

    def save(epoch: int, step: int) -> None:
        nonlocal saved
        if config["resumable"]:
            save_state(run, parts.stateful, rows, signature, epoch, step, facts)
        saved = time.monotonic()  # after a write that may take long on a slow disk

    def report() -> None:
        """Add the finished epoch's row, if it is missing; waits for its results."""
        if not finished:
            return
        results = finished.pop()
        row, bad_step = results.read(config["divergence_loss"])
        rows.append(row)
        is_last = row["epoch"] == epochs or bad_step is not None
        run.write_metrics(rows, every=None if is_last else METRICS_EVERY if device.graphs else 0.0)
        show(row)
        if bad_step is not None:
            raise Diverged(f"loss not finite or above the bound at epoch {row['epoch']}, step {bad_step}")
        if row["epoch"] == epochs and config["divergence_loss"] is None:
            _check_end(min(results.median_loss(), row["test_loss"]), len(data.classes), epochs)

    epoch = first_epoch
    try:
        for epoch in range(first_epoch, epochs + 1):
            parts.order.draw(seed, epoch)
            if done == 0:
                meter.reset()
            step.seek(done)
            if not replayed:
                model.train()
            meter.clock.start()
            pace.begin()
            while done < len(sizes):
                steps = parts.bursts.run(epoch, done, pace.left)
                done += steps
                if (turn := pace.after(steps)) is None:
                    continue  # of an epoch shorter than a burst all steps and the evaluation are one turn
                yield turn
                if finished and finished[0].arrived():
                    report()
                if is_due():
                    meter.clock.stop()
                    report()
                    save(epoch, done)
                    meter.clock.start()
                    pace.begin()
            meter.clock.stop()
            replayed = all(evaluation.is_recorded for evaluation in parts.evaluations.values())
            with as_judged(model, optimizer, step, replayed):
                for evaluation in parts.evaluations.values():
                    evaluation.measure()
            must_save = epoch < epochs and (is_due() if every is None else epoch % every == 0)
            goes_on = device.graphs and epoch < epochs and not must_save
            if finished and not finished[0].arrived():
                yield pace.until(finished[0].turn.event)
            report()  # before the turn, in which the driver may judge it
            yield pace.until(None) if goes_on else pace.now()
            facts["tier"] = parts.tier  # how much of a step is one CUDA graph
            finished.append(EpochResults(epoch, parts, pace))
            done = 0
            if not goes_on:
                report()
            if must_save:
                save(epoch + 1, done)
    except Stopped:  # at a yield
        meter.clock.stop()
        report()
        save(epoch, done)
        raise
    except (Exception, SystemExit):  # also of a step after one that diverged, whose row tells it
        with contextlib.suppress(RuntimeError, OSError):  # a lost device, a full disk: the first error counts
            report()
        raise
    if config["save_model"]:
        with as_judged(model, optimizer, step):
            run.write_weights(model)


def _check_end(loss: float, classes: int, epoch: int) -> None:
    """Raises Diverged if the loss with which a run ends makes no sense, though it is finite.

    Args:
        loss: the smaller of the last epoch's median over its steps and the test loss, so that neither a few steps that
            went wrong nor a model that is judged at its average makes a run diverge.
    """
    guessing = math.log(classes)
    if loss > SENSELESS * guessing:
        raise Diverged(f"loss {loss:.2g} at the end, epoch {epoch}; guessing has {guessing:.2g}")
