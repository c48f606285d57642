"""The gradient of a first layer's weight: the kernel against torch, and who gets it.

Without a GPU the kernel runs in Triton's interpreter, in a process of its own.
"""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from sweeper.engine.kernels.convolution import Convolution, first_convolution, is_served, suits

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
TOLERANCE = {torch.float32: 2e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}  # of the largest value


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


@pytest.mark.skipif(not INTERPRETED, reason="run in a process of its own by test_in_the_interpreter")
@pytest.mark.parametrize("shape", [(3, 3, 64, 8, 8), (2, 1, 16, 5, 7), (1, 2, 32, 3, 3), (40, 3, 16, 16, 16)])
def test_the_gradient_is_torchs(shape):
    check_against_torch(*shape, torch.float32)


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="this is the interpreter")
def test_in_the_interpreter():
    pytest.importorskip("triton")
    command = [sys.executable, "-m", "pytest", __file__, "-m", "not cuda", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def layer(in_channels: int = 3, out_channels: int = 16, **options) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, **{"kernel_size": 3, "padding": 1, "bias": False, **options})


def test_on_the_cpu_it_is_torchs():
    conv = layer()
    x = torch.randn(2, 3, 6, 6, requires_grad=True)
    assert torch.equal(first_convolution(conv, x), conv(x))


@pytest.mark.parametrize(
    ("options", "served"),
    [
        ({}, True),
        ({"in_channels": 1, "out_channels": 128}, True),
        ({"in_channels": 4}, False),
        ({"out_channels": 17}, False),
        ({"kernel_size": 7, "padding": 3}, False),
        ({"stride": 2}, False),
        ({"padding": 0}, False),
        ({"padding": "same"}, False),
        ({"dilation": 2}, False),
        ({"padding_mode": "circular"}, False),
        ({"bias": True}, False),
        ({"in_channels": 2, "groups": 2}, False),
    ],
)
def test_which_layers_the_kernel_serves(options, served):
    assert is_served(layer(**options)) == served


def test_what_the_kernel_serves():
    images = torch.randn(2, 3, 6, 6)
    low = layer().bfloat16()
    assert suits(low, images) and suits(low, images.bfloat16())
    assert not suits(layer(), images), "fp32 products would be rounded to TF32"
    assert not suits(low, images.requires_grad_()), "it makes no gradient of the images"
    with torch.no_grad():
        assert not suits(low, images.detach())


@pytest.mark.cuda
@pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "shape", [(128, 3, 64, 32, 32), (80, 3, 64, 32, 32), (7, 1, 16, 28, 28), (5, 3, 128, 33, 17), (64, 1, 16, 8, 8)]
)
def test_on_a_gpu(shape, dtype):
    check_against_torch(*shape, dtype)


@pytest.mark.cuda
@pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_the_layer_on_a_gpu_uses_the_kernel():
    conv = layer(3, 64).cuda().bfloat16()
    images = made(16, 3, 32, 32)
    y = first_convolution(conv, images)
    assert type(y.grad_fn).__name__ == f"{Convolution.__name__}Backward"
    torch.testing.assert_close(y, functional.conv2d(images.bfloat16(), conv.weight, padding=1))
