"""Lion's and AdamW's step by kernels is the textbook step."""

import copy

import pytest
import torch
from interpreted import DEVICE, in_the_interpreter
from optimizer_steps import HIDDEN, OTHER, draw, parameters
from torch import nn
from torch.optim import Optimizer

from sweeper.optimizers import Lion
from tests.optimizers.test_muon import muon

LONG = [(2048,), (2049,), (3, 1000)]  # whole blocks, and some of whose elements a block has left over


def build_lion(params: list[nn.Parameter], lr: float | torch.Tensor) -> Lion:
    groups = [{"params": params[::2]}, {"params": params[1::2], "lr": 0.01, "weight_decay": 0.0}]
    return Lion(groups, lr=lr, betas=[0.9, 0.99], weight_decay=0.5)


def build_adamw(params: list[nn.Parameter], lr: float | torch.Tensor) -> Optimizer:
    return muon(params, 0, adamw_lr=lr)


def placed(shapes: list[tuple[int, ...]]) -> list[nn.Parameter]:
    """Parameters on the device, kernels in channels_last."""
    return [
        nn.Parameter(
            p.detach().to(DEVICE, memory_format=torch.channels_last if p.ndim == 4 else torch.contiguous_format)
        )
        for p in parameters(shapes)
    ]


def set_gradients(params: list[nn.Parameter], seed: int) -> None:
    for p, gradient in zip(params, draw([p.shape for p in params], seed), strict=True):
        p.grad = torch.empty_like(p).copy_(gradient)


def states(optimizer: Optimizer) -> dict:
    return optimizer.state_dict()["state"]


@in_the_interpreter
@pytest.mark.parametrize("in_tensor", [True, False])
@pytest.mark.parametrize("build", [build_lion, build_adamw])
def test_the_step_is_the_textbooks(build, in_tensor):
    from sweeper.engine.kernels.optimizer_step import FusedStep, build_groups

    shapes = HIDDEN[3:5] + OTHER + LONG
    ours, theirs = placed(shapes), placed(shapes)
    optimizer, textbook = (build(params, torch.tensor(0.003) if in_tensor else 0.003) for params in (ours, theirs))
    step = FusedStep(optimizer, build_groups(optimizer))
    for k in range(4):
        for params in (ours, theirs):
            set_gradients(params, seed=1 + k)
        for one in (optimizer, textbook):
            for group in one.param_groups:
                group["lr"] *= 0.5
        assert step._serves()
        step()
        textbook.step()
        if k == 1:  # the state is replaced, as when a checkpoint is loaded
            optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(states(optimizer), states(textbook), rtol=1e-6, atol=1e-6)
    strides = [[t.stride() for t in of.values()] for of in optimizer.state.values()]
    assert strides == [[t.stride() for t in of.values()] for of in textbook.state.values()]


@in_the_interpreter
def test_a_gradient_without_a_sign_leaves_the_weight_to_its_decay():
    from sweeper.engine.kernels.optimizer_step import FusedStep, build_groups

    weight, twin = (nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0])) for _ in range(2))
    optimizer, textbook = (Lion([p], lr=0.1, betas=[0.9, 0.99], weight_decay=0.5) for p in (weight, twin))
    for p in (weight, twin):
        p.grad = torch.tensor([0.0, float("nan"), 1e-30, -1e-30])
    FusedStep(optimizer, build_groups(optimizer))()
    textbook.step()
    torch.testing.assert_close(weight, twin)
    torch.testing.assert_close(states(optimizer), states(textbook), equal_nan=True)
