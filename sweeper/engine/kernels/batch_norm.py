"""Batch norm (arXiv 1502.03167) fused with the sum and the ReLU after it: by our kernels on CUDA, else by torch.

On CUDA with x in channels_last it is one autograd node of two kernels forward and two backward, see
`batch_norm_kernels.py`. Otherwise, and under torch.compile, which fuses by itself, it is `plain`.
"""

import torch
from torch import nn
from torch.nn import functional

from sweeper.engine.kernels.triton import triton_serves

Tensor = torch.Tensor


def batch_norm(norm: nn.BatchNorm2d, x: Tensor, residual: Tensor | None = None, relu: bool = False) -> Tensor:
    """relu(norm(x) + residual) with x's dtype and shape (n, c, h, w); `residual` has x's shape."""
    if not _has_kernels_for(norm, x, residual):
        return plain(norm, x, residual, relu)
    from sweeper.engine.kernels import batch_norm_kernels as kernels

    if not norm.training:
        return kernels.normalize(x, residual, norm, relu)
    y: Tensor = kernels.BatchNorm.apply(x, norm.weight, norm.bias, residual, norm, relu, False)
    return y


def batch_norm_for_two(
    norm: nn.BatchNorm2d, x: Tensor, residual: Tensor | None = None, relu: bool = False
) -> tuple[Tensor, Tensor]:
    """`batch_norm` for two readers: returns y and an alias, whose gradients the backward kernel adds as it reads them.

    If both read y itself, autograd adds them in a separate kernel: two reads and a write of the whole activation.
    """
    if norm.training and _has_kernels_for(norm, x, residual):
        from sweeper.engine.kernels import batch_norm_kernels as kernels

        pair: tuple[Tensor, Tensor] = kernels.BatchNorm.apply(x, norm.weight, norm.bias, residual, norm, relu, True)
        return pair
    y = batch_norm(norm, x, residual, relu)
    return y, y


def plain(norm: nn.BatchNorm2d, x: Tensor, residual: Tensor | None = None, relu: bool = False) -> Tensor:
    """`batch_norm` by torch's operators, as models write it: the reference in the kernels' tests."""
    out: Tensor = norm(x)
    if residual is not None:
        out = out + residual
    return functional.relu(out, inplace=True) if relu else out


def _has_kernels_for(norm: nn.BatchNorm2d, x: Tensor, residual: Tensor | None) -> bool:
    if torch.compiler.is_compiling() or not x.is_cuda or not triton_serves(x.device):
        return False
    return suits(norm, x, residual)


def suits(norm: nn.BatchNorm2d, x: Tensor, residual: Tensor | None) -> bool:
    """Whether the kernels support these arguments, whatever x's device."""
    if residual is not None and not isinstance(residual, Tensor):
        return False  # e.g. a Python number
    return (
        _is_matrix(x)
        and (residual is None or (residual.shape == x.shape and residual.dtype == x.dtype and _is_matrix(residual)))
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None  # None: a cumulative average
        # No kernels for gradients in evaluation mode, nor for a single value per channel, where torch raises an error.
        and (x.numel() > x.shape[1] if norm.training else not torch.is_grad_enabled())
    )


def _is_matrix(x: Tensor) -> bool:
    """Whether the kernels can read x as one row-major matrix with 32-bit offsets."""
    return (
        x.ndim == 4
        and x.dtype in (torch.bfloat16, torch.float16, torch.float32)
        and 0 < x.numel() < 2**31
        and x.is_contiguous(memory_format=torch.channels_last)
    )
