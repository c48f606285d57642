"""Runs parts of a training step on side streams, beside its main chain; in a CUDA graph they become branches.

In the backward pass, input gradients and batch norms form one chain of dependent kernels. A weight's gradient is needed
only by the optimizer, and a shortcut depends only on its input. Kernels of both kinds leave parts of a GPU idle, so
running them at the same time fills the gaps. If other lanes already fill the gaps, this costs time and is not done.

Memory returns to the stream that allocated it, so tensors that another stream reads are kept until the streams join.
"""

import contextlib
import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from sweeper.engine.kernels.batch_norm import batch_norm

Tensor = torch.Tensor

LARGEST = 2**23  # elements of a layer's input: larger kernels fill a GPU by themselves
CAST_AT_ONCE = 8  # gradients: one kernel each takes five times as long, and one for all would have to wait for the last


class Branches(TorchFunctionMode):
    """A mode in which `torch.conv2d` with a weight of `owners` doesn't accumulate its gradient; `collect` returns it.

    The results equal torch's, by the same kernels.

    Args:
        owners: the fp32 parameter of each weight by the weight's `id`; the gradient gets the parameter's dtype and
            memory format. The weights must outlive this object.
        beside: use side streams, on CUDA, while the run has the GPU to itself; otherwise everything runs in order.
    """

    entered: "Branches | None" = None
    shared = False  # whether other runs of this process fill the GPU's gaps, see `sweeper.train.launchers.lanes`

    def __init__(self, owners: Mapping[int, Tensor], beside: bool) -> None:
        super().__init__()
        self.owners, self._may_be_beside = owners, beside
        self.beside = False
        self._forget()

    def _forget(self) -> None:
        self._gradients: list[tuple[Tensor, Tensor]] = []  # owner and gradient
        self._fresh: list[Tensor] = []  # the last ones of `_gradients` that are still in low precision
        self.held: list[Tensor] = []

    def __enter__(self) -> "Branches":
        self._forget()  # left by a backward pass that an error ended
        self.beside = self._may_be_beside and not Branches.shared
        super().__enter__()
        Branches.entered = self
        return self

    def __exit__(self, *error: Any) -> None:
        Branches.entered = None
        super().__exit__(*error)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.conv2d and len(args) == 7 and not kwargs and self._serves(*args):
            x, weight, _, *options = args
            return _Convolution.apply(x.to(weight.dtype), weight, options, self)
        return function(*args, **(kwargs or {}))

    def _serves(self, x: Tensor, weight: Tensor, bias: Tensor | None, _: Any, padding: Any, *__: Any) -> bool:
        return (
            id(weight) in self.owners
            and weight.requires_grad
            and torch.is_grad_enabled()
            and x.ndim == 4
            and x.numel() <= LARGEST
            and bias is None
            and not isinstance(padding, str)
        )

    def compute(self, dy: Tensor, x: Tensor, weight: Tensor, options: list[Any]) -> None:
        """Start computing the gradient of `weight` in y = conv2d(x, weight, None, *options)."""
        owner = self.owners[id(weight)]
        self._gradients.append((owner, torch.empty_like(owner)))
        if self.beside:
            _stream(dy.device.index, "weights").wait_stream(torch.cuda.current_stream())
            self.held += [dy, x]
        with self._place(dy.device):
            self._fresh.append(_backward(dy, x, weight, options, of_weight=True))
            if len(self._fresh) == CAST_AT_ONCE:
                self._cast()

    def collect(self) -> list[tuple[Tensor, Tensor]]:
        """Return parameters and gradients, one pair per use of a weight, and clear them. Call it after `backward`."""
        gradients = self._gradients
        if gradients:
            device = gradients[0][0].device
            with self._place(device):
                self._cast()
            if self.beside:
                torch.cuda.current_stream().wait_stream(_stream(device.index, "weights"))
        self._forget()
        return gradients

    def _cast(self) -> None:
        if self._fresh:
            torch._foreach_copy_([gradient for _, gradient in self._gradients[-len(self._fresh) :]], self._fresh)
            self._fresh = []

    def _place(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        return torch.cuda.stream(_stream(device.index, "weights")) if self.beside else contextlib.nullcontext()


class Beside(NamedTuple):
    """Work that `aside` started.

    Attributes:
        y: the result.
        x: the input, kept until `join`.
        branches: None if the work runs in order.
    """

    y: Tensor
    x: Tensor
    branches: Branches | None


def aside(x: Tensor, *modules: nn.Module) -> Beside:
    """Start computing `modules` on x beside the work that follows; `join` returns the result."""
    branches = Branches.entered
    if branches is None or not branches.beside or x.numel() > LARGEST or not torch.is_grad_enabled():
        return Beside(_through(modules, x), x, None)
    other = _stream(x.device.index, "shortcuts")
    other.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(other):
        return Beside(_through(modules, x), x, branches)


def join(beside: Beside) -> Tensor:
    """The result of `aside`, after the current stream has waited for it."""
    y, _, branches = beside
    if branches is None:
        return y
    torch.cuda.current_stream().wait_stream(_stream(y.device.index, "shortcuts"))
    joined: Tensor = _Join.apply(y, branches)
    return joined


def _through(modules: Iterable[nn.Module], x: Tensor) -> Tensor:
    for module in modules:
        x = batch_norm(module, x) if isinstance(module, nn.BatchNorm2d) else module(x)
    return x


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, options: list[Any], branches: Branches) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.options, ctx.branches = options, branches
        return torch.conv2d(x, weight, None, *options)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, None, None, None]:
        x, weight = ctx.saved_tensors
        ctx.branches.compute(dy, x, weight, ctx.options)
        dx = _backward(dy, x, weight, ctx.options, of_weight=False) if ctx.needs_input_grad[0] else None
        return dx, None, None, None


class _Join(torch.autograd.Function):
    """The identity; in backward it keeps the gradient for the side stream, on which autograd runs that backward."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, branches: Branches) -> Tensor:
        ctx.branches = branches
        return y.view_as(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        ctx.branches.held.append(dy)
        return dy, None


def _backward(dy: Tensor, x: Tensor, weight: Tensor, options: list[Any], of_weight: bool) -> Tensor:
    """The gradient of the weight if `of_weight`, else of x."""
    stride, padding, dilation, groups = options
    both = torch.ops.aten.convolution_backward(
        dy, x, weight, None, stride, padding, dilation, False, [0, 0], groups, [not of_weight, of_weight, False]
    )
    gradient: Tensor = both[1 if of_weight else 0]
    return gradient


@functools.cache
def _stream(device_index: int, purpose: str) -> torch.cuda.Stream:
    return torch.cuda.Stream(device_index)
