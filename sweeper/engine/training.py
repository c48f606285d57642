"""Builds a run's model, optimizer, schedule and the other parts of the training loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sweeper.datasets.data import Data
from sweeper.engine.augment import EpochOrder, build_batches
from sweeper.engine.averaging import build_ema
from sweeper.engine.build import build_model, build_optimizer, build_schedule
from sweeper.engine.bursts import Bursts
from sweeper.engine.devices import Device, place
from sweeper.engine.evaluate import Evaluation
from sweeper.engine.fuse import forward_passes
from sweeper.engine.graphs import GraphedStep
from sweeper.engine.meter import Meter
from sweeper.engine.rates import Rates
from sweeper.engine.state import Attributes
from sweeper.engine.step import Step
from sweeper.system.errors import BadInput
from sweeper.system.text import counted


@dataclass(frozen=True)
class Training:
    """The parts of the training loop of one run.

    Attributes:
        sizes: the batch size of each step of an epoch; the last may be smaller.
        step: the training step; `run_step` runs it for a batch size, and `bursts` those of an epoch.
        evaluations: the evaluation of each split, by its name.
    """

    model: nn.Module
    optimizer: Optimizer
    attributes: Attributes
    schedule: LRScheduler
    order: EpochOrder
    meter: Meter
    sizes: list[int]
    step: Step
    run_step: Callable[[int], None] | GraphedStep
    bursts: Bursts
    evaluations: dict[str, Evaluation]

    @property
    def tier(self) -> str:
        """How much of a step is one CUDA graph; see `sweeper.engine.graphs`."""
        return getattr(self.run_step, "tier", None) or "eager"

    @property
    def stateful(self) -> dict[str, Any]:
        """The parts whose state is in a checkpoint; attributes last, since they may hold the others."""
        scale = {} if self.step.loss_scale is None else {"loss_scale": self.step.loss_scale}
        ema = {} if self.step.ema is None else {"ema": self.step.ema}
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "meter": self.meter,
            **scale,
            **ema,
            "attributes": self.attributes,
        }


def build_training(config: dict[str, Any], data: Data, device: Device) -> Training:
    """Build the parts in their initial state, on the device.

    Raises:
        BadInput: model, optimizer, schedule or average can't be built, or no batch is left to train.
    """
    where, batch_size = device.torch_device, config["batch_size"]
    model = build_model(config["model"], data.image_shape, len(data.classes), config["seed"])
    model, device = place(model, device)
    optimizer = build_optimizer(config["optimizer"], model, config["decay_norms_and_biases"])
    batches = build_batches(data, config["dataset"]["crop_padding"], config["dataset"]["flip"], where)
    sizes = batch_sizes(len(batches), batch_size, bool(config["drop_last"]))
    schedule = build_schedule(config["schedule"], optimizer, config["epochs"] * len(sizes))
    rates = Rates(optimizer, len(sizes), where) if device.graphs else None
    order = EpochOrder(len(batches), batches.padding, where)
    meter = Meter(sizes, data.corrupted, where)
    training, evaluation = forward_passes(model, device, data.image_shape)
    step = Step(
        model,
        optimizer,
        batches,
        order,
        meter,
        device,
        batch_size,
        training,
        label_smoothing=config["label_smoothing"] or 0.0,
        clip_grad_norm=config["clip_grad_norm"],
        ema=build_ema(config["ema"], model, optimizer),
        rates=rates,
    )
    run_step: Callable[[int], None] | GraphedStep = step.run if rates is None else GraphedStep(step, rates)
    splits = {"test": data.test} | ({"val": data.val} if data.val else {})
    return Training(
        model=model,
        optimizer=optimizer,
        attributes=Attributes(model, optimizer),
        schedule=schedule,
        order=order,
        meter=meter,
        sizes=sizes,
        step=step,
        run_step=run_step,
        bursts=Bursts(run_step, schedule, sizes, config["seed"]),
        evaluations={name: Evaluation(split, evaluation, batches.normalize, device) for name, split in splits.items()},
    )


def batch_sizes(images: int, batch_size: int, drop_last: bool) -> list[int]:
    """The size of each batch of an epoch. The last may be smaller, or with `drop_last` is left out then.

    Raises:
        BadInput: no batch is left.
    """
    sizes = [min(batch_size, images - start) for start in range(0, images, batch_size)]
    if drop_last and sizes[-1] < batch_size:
        sizes.pop()
    if not sizes:
        raise BadInput(
            f"drop_last=true: no batch is left, since batch_size={batch_size} is more than the "
            f"{counted(images, 'training image')}; choose a smaller batch_size, or leave out drop_last"
        )
    return sizes
