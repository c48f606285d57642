"""Which first layers get the kernel, and that everything else is torch's."""

import pytest
import torch
from interpreted import on_a_gpu
from torch import nn
from torch.nn import functional

from sweeper.engine.kernels.convolution import Convolution, first_convolution, is_served, suits
from tests.engine.kernels.test_convolution_kernel import made


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
@on_a_gpu
def test_the_layer_on_a_gpu_uses_the_kernel():
    conv = layer(3, 64).cuda().bfloat16()
    images = made(16, 3, 32, 32)
    y = first_convolution(conv, images)
    assert type(y.grad_fn).__name__ == f"{Convolution.__name__}Backward"
    torch.testing.assert_close(y, functional.conv2d(images.bfloat16(), conv.weight, padding=1))
