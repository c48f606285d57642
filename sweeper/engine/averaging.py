"""Optimizers judged at other weights than they train at: schedule-free ones, at an average (arXiv 2405.15682)."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from sweeper.engine.step import Step

BATCHES = 50  # for new running statistics; as in github.com/facebookresearch/schedule_free


def begin_training(optimizer: Optimizer) -> None:
    """Tell an optimizer that has two sets of weights to take those it trains at."""
    if _has_two_sets(optimizer):  # by two methods that torch's class doesn't have
        optimizer.train()  # type: ignore[attr-defined]


@contextlib.contextmanager
def as_judged(model: nn.Module, optimizer: Optimizer, step: Step) -> Iterator[None]:
    """Within it `model` is in evaluation mode, at the weights that the optimizer is judged at.

    Batch norm's running statistics belong to the weights that were trained at, so they are made anew, of the epoch's
    first `BATCHES` batches. Afterwards weights and statistics are to the bit what they were.
    """
    if not _has_two_sets(optimizer):
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
            norm.momentum = 1 / (k + 1)  # the plain mean of all so far
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _has_two_sets(optimizer: Optimizer) -> bool:
    return callable(getattr(optimizer, "train", None)) and callable(getattr(optimizer, "eval", None))
