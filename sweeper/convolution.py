"""3×3 convolutions: over few channels, as in a first layer, the weight's gradient is a kernel of our own on CUDA."""

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from sweeper.devices import triton_serves

Tensor = torch.Tensor


class Conv3x3(nn.Conv2d):
    """`nn.Conv2d` of 3×3, same state and first values, with stride 1, padding 1 and no bias.

    Over images in bf16 and fp16 on CUDA, and not under torch.compile, the weight's gradient is computed by
    `sweeper/convolution_kernel.py`; everything else is torch's.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        compiling = torch.compiler.is_compiling()
        if compiling or not input.is_cuda or not triton_serves(input.device) or not self.suits(input):
            return super().forward(input)
        images = input.to(self.weight.dtype, memory_format=torch.channels_last)
        y: Tensor = Convolution.apply(images, self.weight)
        return y

    def suits(self, x: Tensor) -> bool:
        """Whether the kernel computes the gradient, wherever x is."""
        return (
            x.ndim == 4
            and not x.requires_grad
            and self.weight.requires_grad
            and torch.is_grad_enabled()
            and self.weight.dtype in (torch.bfloat16, torch.float16)
            and self.in_channels <= 3
            and self.out_channels in (16, 32, 64, 128)
            and 0 < x.numel() // self.in_channels * self.out_channels < 2**31  # 32-bit offsets
        )


class Convolution(torch.autograd.Function):
    """y (n, c_out, h, w) of x (n, c_in, h, w), which needs no gradient, and weight (c_out, c_in, 3, 3)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.conv2d(x, weight, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[None, Tensor]:
        from sweeper import convolution_kernel

        (x,) = ctx.saved_tensors
        return None, convolution_kernel.weight_gradient(x, dy.contiguous(memory_format=torch.channels_last))
