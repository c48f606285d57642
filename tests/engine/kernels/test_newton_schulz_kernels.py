"""Newton-Schulz by kernels is the textbook's, and in low precision as near to exact as the textbook."""

import pytest
import torch
from interpreted import DEVICE, in_the_interpreter, on_a_gpu
from optimizer_steps import draw

from sweeper.engine.kernels.addresses import Addresses
from sweeper.engine.kernels.newton_schulz_tiles import TILES, Plan
from sweeper.optimizers.muon import newton_schulz
from tests.engine.kernels.test_muon_kernels import SMALL

SHAPES = [(40, 70), (16, 16), (7, 33)]


def orthogonalized(matrices: list[torch.Tensor], steps: int, dtype: torch.dtype, tiles=SMALL) -> list[torch.Tensor]:
    """The update of weights that are 0, at the rate -1."""
    from sweeper.engine.kernels.newton_schulz_kernels import Products

    plan = Plan([m.shape for m in matrices], torch.device(DEVICE), tiles)
    products = Products(plan, torch.device(DEVICE), dtype)
    for matrix, place in zip(matrices, plan.matrices, strict=True):
        size = place.padded_rows * place.padded_columns
        x = products.x[place.x : place.x + size].view(place.padded_rows, place.padded_columns)
        x[: place.rows, : place.columns] = matrix
    firsts, counts = plan.fields[:, 6].tolist(), plan.fields[:, 7].tolist()
    for matrix, first, count in zip(matrices, firsts, counts, strict=True):
        products.partials[first : first + count] = matrix.square().sum() / count
    weights = [torch.zeros_like(m) for m in matrices]
    addresses = Addresses(len(weights), torch.device(DEVICE))
    addresses.write(weights)
    products.run(steps, addresses.table, torch.tensor(-1.0, device=DEVICE), 0.0)
    return weights


def textbook(matrix: torch.Tensor, steps: int, dtype: torch.dtype) -> torch.Tensor:
    return newton_schulz((matrix / (matrix.norm() + 1e-7)).to(dtype)[None], steps)[0].float()


@in_the_interpreter
@pytest.mark.parametrize("steps", [1, 4])
def test_in_fp32_it_is_the_textbooks(steps):
    matrices = [m.to(DEVICE) * 10.0**k for k, m in enumerate(draw(SHAPES, seed=1))]
    expected = [textbook(m, steps, torch.float32) for m in matrices]
    torch.testing.assert_close(orthogonalized(matrices, steps, torch.float32), expected, rtol=1e-4, atol=1e-5)


def check_rounding(dtype: torch.dtype, shapes: list[tuple[int, int]]) -> None:
    matrices = [m.to(DEVICE) for m in draw(shapes, seed=2)]
    found = orthogonalized(matrices, 5, dtype, TILES)
    again = orthogonalized(matrices, 5, dtype, TILES)
    for matrix, ours, same in zip(matrices, found, again, strict=True):
        exact = textbook(matrix.double(), 5, torch.float64)
        error, textbooks = ((o - exact).norm() / exact.norm() for o in (ours, textbook(matrix, 5, dtype)))
        print(tuple(matrix.shape), f"{error:.5f}, the textbook's {textbooks:.5f}")
        assert error < 1.5 * textbooks and torch.equal(ours, same)


@in_the_interpreter
def test_in_low_precision_it_errs_no_more_than_the_textbook():
    check_rounding(torch.float16, [*SHAPES, (32, 100)])  # the interpreter has no products of bf16


@pytest.mark.cuda
@on_a_gpu
def test_on_a_gpu_it_errs_no_more_than_the_textbook():
    check_rounding(torch.bfloat16, [*SHAPES, (512, 4608), (256, 2304), (256, 512), (64, 576), (1, 300)])
