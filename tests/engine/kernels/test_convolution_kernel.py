"""The gradient of a first layer's weight is torch's in fp64."""

import pytest
import torch
from interpreted import DEVICE, TOLERANCE, in_the_interpreter, on_a_gpu
from torch.nn import functional


def made(*shape, dtype=torch.float32, seed=1):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE, dtype)
    return values.to(memory_format=torch.channels_last)


def check_against_torch(n, c_in, c_out, height, width, dtype):
    from sweeper.engine.kernels import convolution_kernel

    x, dy = made(n, c_in, height, width, dtype=dtype), made(n, c_out, height, width, dtype=dtype, seed=2)
    weight = torch.zeros(c_out, c_in, 3, 3, dtype=torch.float64, device=DEVICE, requires_grad=True)
    y = functional.conv2d(x.double(), weight, padding=1)
    (expected,) = torch.autograd.grad(y, weight, dy.double())
    ours = convolution_kernel.weight_gradient(x, dy)
    assert ours.shape == expected.shape and ours.dtype == dtype
    assert (ours.double() - expected).abs().max() <= TOLERANCE[dtype] * expected.abs().max()
    assert torch.equal(ours, convolution_kernel.weight_gradient(x, dy)), "the same input gives the same bits"


@in_the_interpreter
@pytest.mark.parametrize("shape", [(3, 3, 64, 8, 8), (2, 1, 16, 5, 7), (1, 2, 32, 3, 3), (40, 3, 16, 16, 16)])
def test_the_gradient_is_torchs(shape):
    check_against_torch(*shape, torch.float32)


@pytest.mark.cuda
@on_a_gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "shape", [(128, 3, 64, 32, 32), (80, 3, 64, 32, 32), (7, 1, 16, 28, 28), (5, 3, 128, 33, 17), (64, 1, 16, 8, 8)]
)
def test_on_a_gpu(shape, dtype):
    check_against_torch(*shape, dtype)
