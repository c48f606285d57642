"""A first layer's 3×3 convolution over few channels; on CUDA our kernel computes its weight gradient."""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from sweeper.engine.kernels.triton import triton_serves

Tensor = torch.Tensor


def first_convolution(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """conv(x) for a convolution for which `is_served` is true.

    For images in bf16 or fp16 on CUDA, and not under torch.compile, the weight gradient is computed by
    `sweeper/engine/kernels/convolution_kernel.py`; everything else by torch.
    """
    if torch.compiler.is_compiling() or not x.is_cuda or not triton_serves(x.device) or not suits(conv, x):
        y: Tensor = conv(x)
        return y
    images = x.to(conv.weight.dtype, memory_format=torch.channels_last)
    y = Convolution.apply(images, conv.weight)
    return y


def is_served(conv: nn.Conv2d) -> bool:
    """Whether the kernel supports this layer: 3×3, stride 1, padding 1, no bias, and few input channels."""
    return (
        conv.kernel_size == (3, 3)
        and conv.stride == (1, 1)
        and conv.padding == (1, 1)
        and conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and conv.bias is None
        and conv.in_channels <= 3
        and conv.out_channels in (16, 32, 64, 128)
    )


def suits(conv: nn.Conv2d, x: Tensor) -> bool:
    """Whether the kernel supports these arguments, whatever x's device."""
    return (
        x.ndim == 4
        and not x.requires_grad
        and conv.weight.requires_grad
        and torch.is_grad_enabled()
        and conv.weight.dtype in (torch.bfloat16, torch.float16)
        and 0 < x.numel() // conv.in_channels * conv.out_channels < 2**31  # 32-bit offsets
    )


class Convolution(torch.autograd.Function):
    """Convolution of x (n, c_in, h, w), which needs no gradient, by weight (c_out, c_in, 3, 3) to (n, c_out, h, w)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.conv2d(x, weight, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[None, Tensor]:
        from sweeper.engine.kernels import convolution_kernel

        (x,) = ctx.saved_tensors
        return None, convolution_kernel.weight_gradient(x, dy.contiguous(memory_format=torch.channels_last))
