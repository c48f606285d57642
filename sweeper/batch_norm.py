"""Batch norm (arXiv 1502.03167) with residual sum and ReLU behind it: kernels of our own on CUDA, torch elsewhere."""

import torch
from torch import nn
from torch.nn import functional

from sweeper.devices import triton_serves

Tensor = torch.Tensor


class BatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d`, same state and first values, that can also add a residual and apply ReLU.

    On CUDA, with x in channels_last order, it is one autograd node of two kernels forward and two backward
    (`sweeper/kernels.py`); otherwise, and under torch.compile, which fuses by itself, it is `plain`.
    """

    def forward(self, x: Tensor, residual: Tensor | None = None, relu: bool = False) -> Tensor:
        """relu(norm(x) + residual), of x's type and shape (n, c, h, w); `residual` has x's shape."""
        if not self._has_kernels_for(x, residual):
            return self.plain(x, residual, relu)
        from sweeper import kernels

        if not self.training:
            return kernels.normalize(x, residual, self, relu)
        y: Tensor = kernels.BatchNorm.apply(x, self.weight, self.bias, residual, self, relu, False)
        return y

    def twice(self, x: Tensor, residual: Tensor | None = None, relu: bool = False) -> tuple[Tensor, Tensor]:
        """The same for two readers: one y under two names, whose gradients the backward kernel adds as it reads them.

        Given y itself, autograd would add them in a kernel of its own: two reads and a write of the whole activation.
        """
        if self.training and self._has_kernels_for(x, residual):
            from sweeper import kernels

            pair: tuple[Tensor, Tensor] = kernels.BatchNorm.apply(x, self.weight, self.bias, residual, self, relu, True)
            return pair
        y = self(x, residual, relu)
        return y, y

    def plain(self, x: Tensor, residual: Tensor | None = None, relu: bool = False) -> Tensor:
        """The same by torch's own operators: what the kernels are held against."""
        out = super().forward(x)
        if residual is not None:
            out = out + residual
        return functional.relu(out, inplace=True) if relu else out

    def _has_kernels_for(self, x: Tensor, residual: Tensor | None) -> bool:
        if torch.compiler.is_compiling() or not x.is_cuda or not triton_serves(x.device):
            return False
        return self.suits(x, residual)

    def suits(self, x: Tensor, residual: Tensor | None) -> bool:
        """Whether the kernels compute this, wherever x is."""
        return (
            _is_matrix(x)
            and (residual is None or (residual.shape == x.shape and residual.dtype == x.dtype and _is_matrix(residual)))
            and self.affine
            and self.track_running_stats
            and self.momentum is not None  # None: a cumulative average
            # Without kernels for it: gradients in evaluation; torch's error for a single value a channel.
            and (x.numel() > x.shape[1] if self.training else not torch.is_grad_enabled())
        )


def _is_matrix(x: Tensor) -> bool:
    """Whether the kernels can read x as one row-major matrix with 32-bit offsets."""
    return (
        x.ndim == 4
        and x.dtype in (torch.bfloat16, torch.float16, torch.float32)
        and 0 < x.numel() < 2**31
        and x.is_contiguous(memory_format=torch.channels_last)
    )
