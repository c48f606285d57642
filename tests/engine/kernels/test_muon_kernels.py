"""Muon's step by kernels is the textbook step, for every shape and order in memory."""

import pytest
import torch
from interpreted import DEVICE, in_the_interpreter, on_a_gpu
from optimizer_steps import HIDDEN, OTHER, parameters
from torch import nn

from sweeper.engine.kernels.newton_schulz_tiles import TILES, Plan, Tile, Tiles
from sweeper.engine.kernels.optimizer_step import FusedStep
from sweeper.optimizers import Muon
from tests.engine.kernels.test_elementwise_kernels import set_gradients, states
from tests.optimizers.test_muon import muon

ODD = [(1, 5), (5, 1), (1, 1), (10, 27), (3, 1, 3, 3)]
SMALL = Tiles(Tile(16, 32, 16, 4, 1), Tile(16, 16, 16, 4, 1), Tile(32, 16, 16, 4, 1), Tile(16, 32, 16, 4, 1))


def placed(shapes: list[tuple[int, ...]], layout: torch.memory_format) -> list[nn.Parameter]:
    plain = torch.contiguous_format
    return [
        nn.Parameter(p.detach().to(DEVICE).contiguous(memory_format=layout if p.ndim == 4 else plain))
        for p in parameters(shapes)
    ]


def fused(optimizer: Muon, dtype: torch.dtype, tiles: Tiles) -> FusedStep:
    from sweeper.engine.kernels.elementwise_kernels import AdamWGroup
    from sweeper.engine.kernels.muon_kernels import HiddenGroup

    roles = [group["role"] for group in optimizer.param_groups]
    return FusedStep(
        optimizer,
        [
            HiddenGroup(optimizer, k, dtype, tiles) if r == "hidden" else AdamWGroup(optimizer, k)
            for k, r in enumerate(roles)
        ],
    )


def compare(shapes, layout, dtype, tiles, rtol, atol, **options) -> None:
    """Compare weights and state after two steps of the kernels and of the textbook."""
    ours, theirs = placed(shapes + OTHER, layout), placed(shapes + OTHER, layout)
    optimizer, textbook = (muon(params, len(shapes), **options) for params in (ours, theirs))
    step = fused(optimizer, dtype, tiles)
    for k in range(2):
        for params in (ours, theirs):
            set_gradients(params, seed=1 + k)
        assert step._serves()
        step()
        textbook.step()
    torch.testing.assert_close(ours, theirs, rtol=rtol, atol=atol)
    torch.testing.assert_close(states(optimizer), states(textbook), rtol=1e-6, atol=1e-6)


@in_the_interpreter
@pytest.mark.parametrize(
    ("nesterov", "layout", "steps"), [(True, torch.channels_last, 3), (False, torch.contiguous_format, 1)]
)
def test_in_fp32_the_step_is_the_textbooks(nesterov, layout, steps):
    compare(HIDDEN + ODD, layout, torch.float32, SMALL, 1e-4, 1e-5, nesterov=nesterov, newton_schulz_steps=steps)


def check_rounding(dtype: torch.dtype, shapes: list[tuple[int, ...]]) -> None:
    """With the tiles of a GPU.

    An orthogonalized matrix has entries of at most 1.2, and a step changes the weights by lr · sqrt(rows / columns).
    Each of the three products of an iteration is rounded, and an iteration multiplies errors by at most 3.4445.
    """
    bound = 2 * 0.02 * 1.2 * (130 / 70) ** 0.5 * 3 * 3.4445 * torch.finfo(dtype).eps / 2
    compare(shapes, torch.channels_last, dtype, TILES, 0, bound)


@in_the_interpreter
def test_with_the_tiles_of_a_gpu_the_step_is_the_textbooks_within_rounding():
    check_rounding(torch.float16, [(130, 70), (6, 10)])  # the interpreter has no products of bf16


@pytest.mark.cuda
@on_a_gpu
def test_on_a_gpu_the_step_is_the_textbooks_within_rounding():
    check_rounding(torch.bfloat16, [(130, 70), (64, 64, 3, 3), (200, 300), *HIDDEN, *ODD])


@in_the_interpreter
def test_the_direction_fills_its_buffer_with_zeros_and_sums_its_squares():
    from sweeper.engine.kernels.muon_kernels import HiddenGroup

    (weight,) = placed([(5, 3)], torch.contiguous_format)
    optimizer = muon([weight], 1, momentum=0.0, nesterov=False)
    group = HiddenGroup(optimizer, 0, torch.float32, SMALL)
    set_gradients([weight], seed=1)
    products = group.products
    products.run = lambda *_: None
    products.x.fill_(7)
    group.step()
    (matrix,) = Plan([(5, 3)], torch.device("cpu"), SMALL).matrices
    x = products.x.view(matrix.padded_rows, matrix.padded_columns)
    torch.testing.assert_close(x[:3, :5], weight.grad.mT)
    assert x.count_nonzero() == 15
    torch.testing.assert_close(products.partials.sum(), weight.grad.square().sum())
