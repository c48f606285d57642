"""The training loop, written as a generator that yields after every step, so that its driver can stop it there."""

import contextlib
import math
import time
from collections.abc import Callable, Generator
from typing import Any

import torch
from torch.nn import functional

from sweeper.augment import Batches, EpochOrder, Evaluation
from sweeper.build import build_model, build_optimizer, build_schedule
from sweeper.checkpoint import load_state, save_state
from sweeper.data import Data
from sweeper.devices import Device, synchronize
from sweeper.runs import RunDirectory
from sweeper.streams import stream_seed

Row = dict[str, Any]


class Stopped(Exception):
    """Thrown into the loop at a yield to stop it: it writes its checkpoint and passes this on."""


class Diverged(Exception):
    """The loss is no longer a finite number, or above `divergence_loss`. Says at which epoch and step."""


def train(
    config: dict[str, Any],
    data: Data,
    device: Device,
    run: RunDirectory,
    rows: list[Row],
    show: Callable[[Row], None],
) -> Generator["torch.cuda.Event | None", None, None]:
    """Train one run to its end, from its checkpoint if there is one.

    Yields None after each step, or an event that the device must reach before the next one. Writes `metrics.csv` and
    `checkpoint.pt` as it goes, and `model.safetensors` at the end; `run.json` is its driver's.

    Args:
        rows: empty; gets a row of metrics for each epoch.
        show: called with each epoch's row of metrics.

    Raises:
        Diverged: after the epoch in which it happened.
        Stopped: thrown in by the driver.
        RunFailed: the checkpoint was made on other data.
    """
    where = device.torch_device
    model = build_model(config["model"], data.image_shape, len(data.classes), config["seed"])
    model = model.to(where).to(memory_format=_memory_format(device))
    optimizer = build_optimizer(config["optimizer"], model, config["decay_norms_and_biases"])
    batch_size, epochs = config["batch_size"], config["epochs"]
    steps_per_epoch = math.ceil(len(data.train.labels) / batch_size)
    schedule = build_schedule(config["schedule"], optimizer, epochs * steps_per_epoch)

    batches = Batches(data, config["dataset"]["crop_padding"], config["dataset"]["flip"], where)
    val = Evaluation(data.val, batches.normalize, where) if data.val else None
    test = Evaluation(data.test, batches.normalize, where)
    forward = torch.compile(model) if device.compile else model
    meter = Meter(steps_per_epoch, data.corrupted, where)

    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule, "meter": meter}
    first_epoch, first_step = load_state(run, parts, rows, data.digest)
    run.write_metrics(rows)

    for epoch in range(first_epoch, epochs + 1):
        order = EpochOrder.draw(config["seed"], epoch, len(batches), batches.padding, where)
        if first_step == 0:
            meter.reset()
            torch.manual_seed(stream_seed(config["seed"], epoch, "layers"))  # what dropout draws from
        model.train()
        meter.start()
        for k in range(first_step, steps_per_epoch):
            images, labels, index = batches.take(order, k * batch_size, (k + 1) * batch_size)
            with autocast(device):
                logits = forward(images.contiguous(memory_format=_memory_format(device)))
            loss = functional.cross_entropy(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            meter.add(k, loss, logits, labels, index, schedule.get_last_lr()[0])
            schedule.step()
            try:
                yield None
            except Stopped:
                meter.stop(device)
                save_state(run, parts, rows, data.digest, epoch, k + 1)
                raise
        first_step = 0
        meter.stop(device)

        row: Row = {"epoch": epoch, "step": epoch * steps_per_epoch, **meter.metrics(len(batches))}
        bad_step = meter.first_bad_step(config["divergence_loss"])
        if bad_step is None:
            model.eval()
            row |= {f"test_{k}": v for k, v in evaluate(forward, test, device).items()}
            if val:
                row |= {f"val_{k}": v for k, v in evaluate(forward, val, device).items()}
            if not math.isfinite(row["test_loss"]):
                bad_step = steps_per_epoch
        rows.append(row)
        run.write_metrics(rows)
        show(row)
        if bad_step is not None:
            raise Diverged(
                f"loss not finite or above the bound at epoch {epoch}, step {row['step'] - steps_per_epoch + bad_step}"
            )
        if epoch < epochs and epoch % config["checkpoint_every"] == 0:
            save_state(run, parts, rows, data.digest, epoch + 1, 0)
    if config["save_model"]:
        run.write_weights(model)


@torch.no_grad()
def evaluate(model: Callable[..., Any], split: Evaluation, device: Device) -> dict[str, float]:
    """Mean cross-entropy and accuracy in [0, 1] over a split, of a model in evaluation mode."""
    loss = torch.zeros((), device=device.torch_device)
    correct = torch.zeros((), dtype=torch.int64, device=device.torch_device)
    for images, labels in split.batches():
        with autocast(device):
            logits = model(split.normalize(images).contiguous(memory_format=_memory_format(device))).float()
        loss += functional.cross_entropy(logits, labels, reduction="sum")
        correct += (logits.argmax(1) == labels).sum()
    return {"loss": loss.item() / len(split), "accuracy": correct.item() / len(split)}


def autocast(device: Device) -> contextlib.AbstractContextManager[Any]:
    if device.precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.kind, dtype=torch.bfloat16)


def _memory_format(device: Device) -> torch.memory_format:
    return torch.channels_last if device.channels_last else torch.contiguous_format


class Meter:
    """One epoch's training figures, kept on the device and read once, and the clock of its training alone."""

    def __init__(self, steps: int, corrupted: torch.Tensor | None, where: torch.device) -> None:
        self.corrupted = None if corrupted is None else corrupted.to(where)
        self.losses = torch.zeros(steps, device=where)  # mean loss of each step
        self.sizes = torch.zeros(steps, device=where)  # images of each step
        self.correct = torch.zeros(2, dtype=torch.int64, device=where)  # on clean and on corrupted labels
        self.lr: float | torch.Tensor = 0.0  # of the first parameter group in the latest step
        self.seconds = 0.0
        self._started = 0.0

    def reset(self) -> None:
        for tensor in (self.losses, self.sizes, self.correct):
            tensor.zero_()
        self.seconds = 0.0

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self, device: Device) -> None:
        synchronize(device.kind)
        self.seconds += time.perf_counter() - self._started

    @torch.no_grad()
    def add(
        self,
        k: int,
        loss: torch.Tensor,
        logits: torch.Tensor,
        labels: torch.Tensor,
        index: torch.Tensor,
        lr: float | torch.Tensor,
    ) -> None:
        self.losses[k] = loss.detach()
        self.sizes[k] = len(labels)
        self.lr = lr
        right = logits.argmax(1) == labels
        if self.corrupted is None:
            self.correct[0] += right.sum()
        else:
            wrong_label = self.corrupted[index]
            self.correct += torch.stack([(right & ~wrong_label).sum(), (right & wrong_label).sum()])

    def metrics(self, n: int) -> Row:
        """`corrupted_train_accuracy` is the share of corrupted images told as their wrong label: memorization."""
        losses, sizes = self.losses.cpu().double(), self.sizes.cpu().double()
        clean, corrupted = self.correct.tolist()
        n_corrupted = 0 if self.corrupted is None else int(self.corrupted.sum())
        return {
            "lr": float(self.lr),
            "train_loss": (losses @ sizes).item() / n,
            "train_accuracy": (clean + corrupted) / n,
            "clean_train_accuracy": clean / (n - n_corrupted) if n > n_corrupted else None,
            "corrupted_train_accuracy": corrupted / n_corrupted if n_corrupted else None,
            "train_seconds": round(self.seconds, 6),
            "images_per_second": round(n / self.seconds, 1),
        }

    def first_bad_step(self, bound: float | None) -> int | None:
        """The first step of the epoch, from 1, whose loss isn't finite or is above `bound`; None if all are well."""
        losses = self.losses.cpu()
        bad = ~losses.isfinite() if bound is None else ~losses.isfinite() | (losses > bound)
        return int(bad.nonzero()[0]) + 1 if bad.any() else None

    def state_dict(self) -> dict[str, Any]:
        kept = {k: getattr(self, k) for k in ("losses", "sizes", "correct", "seconds")}
        return {**kept, "lr": float(self.lr)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("losses", "sizes", "correct"):
            getattr(self, name).copy_(state[name])
        self.lr, self.seconds = state["lr"], state["seconds"]
