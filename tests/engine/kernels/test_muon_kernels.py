"""Muon's step by kernels is the textbook step, for every shape and order in memory."""

import pytest
import torch
from interpreted import DEVICE, in_the_interpreter
from optimizer_steps import HIDDEN, OTHER, draw, parameters
from torch import nn

from tests.optimizers.test_muon import muon

ODD = [(1, 5), (5, 1), (1, 1), (10, 27), (3, 1, 3, 3), (130, 70)]


def placed(params: list[nn.Parameter], channels_last: bool) -> list[nn.Parameter]:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return [
        nn.Parameter(p.detach().to(DEVICE).contiguous(memory_format=layout) if p.ndim == 4 else p.detach().to(DEVICE))
        for p in params
    ]


def fused(optimizer, dtype):
    from sweeper.engine.kernels.elementwise_kernels import AdamWGroup
    from sweeper.engine.kernels.muon_kernels import HiddenGroup
    from sweeper.engine.kernels.optimizer_step import FusedStep

    groups = [
        HiddenGroup(optimizer, k, dtype) if group["role"] == "hidden" else AdamWGroup(optimizer, k)
        for k, group in enumerate(optimizer.param_groups)
    ]
    return FusedStep(optimizer, groups)


def take_steps(optimizer, step, params, count, first=0):
    for k in range(first, first + count):
        for p, grad in zip(params, draw([p.shape for p in params], seed=1 + k), strict=True):
            p.grad = torch.empty_like(p).copy_(grad / (1 + k))
        for group in optimizer.param_groups:
            group["lr"] = group["lr"] * 0.9
        step()
    return [p.detach() for p in params]


@in_the_interpreter
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("channels_last", [True, False])
def test_in_fp32_the_step_is_the_textbooks(nesterov, channels_last):
    shapes = HIDDEN + ODD
    ours, theirs = (placed(parameters(shapes + OTHER), channels_last) for _ in range(2))
    optimizer, textbook = (muon(params, len(shapes), nesterov=nesterov) for params in (ours, theirs))
    step = fused(optimizer, torch.float32)

    found = take_steps(optimizer, step, ours, 3)
    expected = take_steps(textbook, textbook.step, theirs, 3)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
