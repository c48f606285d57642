"""The training loop, written as a generator that yields after every step, so that its driver can stop it there."""

import math
import time
from collections.abc import Callable, Generator
from typing import Any

import torch

from sweeper.datasets.data import Data
from sweeper.engine.averaging import as_judged, begin_training
from sweeper.engine.checkpoint import begin_anew, load_state, save_state
from sweeper.engine.checkpoint_form import Signature
from sweeper.engine.devices import Device, Pace
from sweeper.engine.numerics import describe
from sweeper.engine.training import build_training
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import run_name
from sweeper.system.random_streams import seed_layers, stream_seed

Row = dict[str, Any]

# Seconds of training that a killed process loses at most, unless `checkpoint_every` is set.
CHECKPOINT_AFTER = 60.0


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
) -> Generator["torch.cuda.Event | None", None, None]:
    """Train one run to its end, from its checkpoint if it has one.

    Yields after each step: None, or an event that the device must reach before the next step. Writes `metrics.csv` and
    `checkpoint.pt`, if `resumable`, while it trains, and `model.safetensors` at the end. The driver writes `run.json`.

    Args:
        rows: an empty list; gets one row of metrics per epoch.
        show: called with each epoch's row of metrics.
        facts: the record's environment; the loop adds `tier`, see `sweeper.engine.graphs`, and `earlier`, see
            `sweeper.engine.numerics`.

    Raises:
        Diverged: at the end of the epoch in which the run diverged; by `SENSELESS` only at the end of the last.
        Stopped: the driver has thrown it in.
        RunFailed: the checkpoint was made on other data.
    """
    seed, epochs, every = (config[k] for k in ("seed", "epochs", "checkpoint_every"))
    parts = build_training(config, data, device)
    model, optimizer, meter, step, sizes = parts.model, parts.optimizer, parts.meter, parts.step, parts.sizes
    facts["memory_format"] = describe(step.device)["memory_format"]  # the one that this model needs
    pace = Pace(device.kind)
    signature = Signature(run_name(config), data.digest, epochs, len(sizes), data.val is not None)
    first_epoch, done = (
        load_state(run, parts.stateful, rows, signature, facts) if config["resumable"] else begin_anew(run, facts)
    )
    begin_training(optimizer)
    run.write_metrics(rows)
    saved = time.monotonic()

    def save(epoch: int, step: int) -> None:
        if config["resumable"]:
            save_state(run, parts.stateful, rows, signature, epoch, step, facts)

    for epoch in range(first_epoch, epochs + 1):
        parts.order.draw(seed, epoch)
        if done == 0:
            meter.reset()
        step.seek(done)
        model.train()
        meter.clock.start()
        try:
            while done < len(sizes):
                seed_layers(stream_seed(seed, epoch, done, "layers"))
                parts.run_step(sizes[done])
                parts.schedule.step()
                done += 1
                yield pace.after_step()
                if every is None and time.monotonic() - saved > CHECKPOINT_AFTER:
                    meter.clock.stop()
                    save(epoch, done)
                    meter.clock.start()
                    saved = time.monotonic()
            meter.clock.stop()
            with as_judged(model, optimizer, step):
                for evaluation in parts.evaluations.values():
                    evaluation.measure()
            yield pace.now()
        except Stopped:
            meter.clock.stop()
            save(epoch, done)
            raise
        facts["tier"] = parts.tier  # how much of a step is one CUDA graph

        row: Row = {"epoch": epoch, "step": epoch * len(sizes), **meter.metrics(parts.order.index)}
        bad_step = meter.first_bad_step(config["divergence_loss"])
        if bad_step is None:
            for name, evaluation in parts.evaluations.items():
                row |= {f"{name}_{figure}": value for figure, value in evaluation.read().items()}
            if not math.isfinite(row["test_loss"]):
                bad_step = len(sizes)
        rows.append(row)
        run.write_metrics(rows)
        show(row)
        if bad_step is not None:
            bad_step += (epoch - 1) * len(sizes)
            raise Diverged(f"loss not finite or above the bound at epoch {epoch}, step {bad_step}")
        if epoch == epochs and config["divergence_loss"] is None:
            _check_end(min(meter.median_loss(), row["test_loss"]), len(data.classes), epoch)
        done = 0
        if every is not None and epoch % every == 0 and epoch < epochs:
            save(epoch + 1, done)
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
