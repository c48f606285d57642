"""Runs judged at other weights than they train: at a moving average, or a schedule-free optimizer's average.

Schedule-free optimizers: arXiv 2405.15682.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from sweeper.engine.ema import ExponentialMovingAverage
from sweeper.engine.step import Step
from sweeper.system.errors import BadInput

BATCHES = 50  # for new running statistics; as in github.com/facebookresearch/schedule_free


def build_ema(decay: float | None, model: nn.Module, optimizer: Optimizer) -> ExponentialMovingAverage | None:
    """The moving average of a run's weights; None without a decay.

    Raises:
        BadInput: the optimizer averages its weights itself.
    """
    if decay is None:
        return None
    if _has_two_sets(optimizer):
        raise BadInput(
            f"ema={decay}: {type(optimizer).__name__} averages its weights already, and is judged at that average; "
            "leave out ema, or choose another optimizer"
        )
    return ExponentialMovingAverage(model, decay)


def begin_training(optimizer: Optimizer) -> None:
    """Switch an optimizer that has two sets of weights to those that it trains."""
    if _has_two_sets(optimizer):  # it has two methods that torch's class lacks
        optimizer.train()  # type: ignore[attr-defined]


@contextlib.contextmanager
def as_judged(model: nn.Module, optimizer: Optimizer, step: Step, replayed: bool = False) -> Iterator[None]:
    """A context in which `model` is in evaluation mode, with the weights at which the run is judged.

    A moving average has statistics of its own. For an optimizer's own average, batch norm's running statistics belong
    to the training weights, so they are computed again from the epoch's first `BATCHES` batches. On exit, weights and
    statistics are restored bit for bit.

    Args:
        replayed: only recorded evaluations follow, so the model stays in training mode: walking through its layers
            takes an eighth of a small model's time on the host.
    """
    if not _has_two_sets(optimizer):
        with contextlib.nullcontext() if step.ema is None else step.ema.in_place():
            if not replayed:
                model.eval()
            yield
        return
    tensors = list(model.state_dict().values())
    kept = [tensor.clone() for tensor in tensors]
    optimizer.eval()  # type: ignore[attr-defined]
    model.train()
    _renew_statistics(model, step)
    model.eval()
    yield
    model.train()
    optimizer.train()  # type: ignore[attr-defined]
    with torch.no_grad():
        for tensor, before in zip(tensors, kept, strict=True):
            tensor.copy_(before)


def _renew_statistics(model: nn.Module, step: Step) -> None:
    norms: list[Any] = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for k, _ in enumerate(step.forward_batches(BATCHES)):
        for norm in norms:
            norm.momentum = 1 / (k + 1)  # a cumulative average
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _has_two_sets(optimizer: Optimizer) -> bool:
    return callable(getattr(optimizer, "train", None)) and callable(getattr(optimizer, "eval", None))
