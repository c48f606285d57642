"""Tables with which one kernel reads many tensors: their addresses, and the blocks into which they are divided."""

from collections.abc import Sequence

import torch

Tensor = torch.Tensor


class Addresses:
    """The addresses of `count` tensors, in an int64 tensor on the device.

    The kernels that write them get them as arguments. So each CUDA graph writes those of its own gradients, and no
    memory of the host has to outlive the call.
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self.table = torch.zeros(count, dtype=torch.int64, device=device)
        self._entries = list(self.table.unbind())

    def write(self, tensors: Sequence[Tensor]) -> None:
        self.table.zero_()
        torch._foreach_add_(self._entries, [tensor.data_ptr() for tensor in tensors])


def blocks(tensors: Sequence[Tensor], size: int) -> Tensor:
    """The blocks of `size` elements of all tensors, as (blocks, 3): the tensor, the block in it, its elements."""
    rows = [(k, block, t.numel()) for k, t in enumerate(tensors) for block in range(-(-t.numel() // size))]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 3).to(tensors[0].device)


def is_dense(tensor: Tensor) -> bool:
    """Whether a tensor is contiguous, or a kernel in channels_last: then its outermost dimension is the first."""
    return tensor.is_contiguous() or (tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last))


def in_same_order(a: Tensor, b: Tensor) -> bool:
    """Whether two dense tensors of one shape have the same order in memory."""
    if a.shape != b.shape:
        return False
    if a.is_contiguous() and b.is_contiguous():
        return True
    last = torch.channels_last
    return a.ndim == 4 and a.is_contiguous(memory_format=last) and b.is_contiguous(memory_format=last)
