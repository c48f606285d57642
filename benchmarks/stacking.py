"""Training steps of separate networks and of one network with stacked weights, for `benchmarks.stacked`."""

import copy
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import batch_norm, cross_entropy

from sweeper.engine.capture import Graph, warm_up
from sweeper.engine.devices import Device, place
from sweeper.models import resnet

Options = dict[str, Any]


class Step:
    """A training step on one batch; `tensors` are the weights and buffers.

    Args:
        labels: (n,), or (networks, n) for stacked weights.
        options: of torch's SGD.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        tensors: dict[str, Tensor],
        images: Tensor,
        labels: Tensor,
        options: Options,
        device: Device,
    ) -> None:
        self.tensors, self._forward, self._device = tensors, forward, device
        self._images, self._labels, self._dtype = images, labels, images.dtype
        self._optimizer = torch.optim.SGD([t for t in tensors.values() if t.requires_grad], **options, fused=True)

    def run(self) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        with self._device.autocast():
            logits = self._forward(self._images)
        loss = cross_entropy(logits.flatten(0, -2).to(self._dtype), self._labels.flatten(), reduction="sum")
        (loss / self._labels.shape[-1]).backward()
        self._optimizer.step()

    def record(self) -> Callable[[], None]:
        """Returns what repeats the step, from the initial weights: a graph's replay, or without graphs the step."""
        initial = [tensor.detach().clone() for tensor in self.tensors.values()]
        repeat = self.run
        if self._device.graphs:
            warm_up(self.run)
            repeat = Graph(self.run).replay
        else:
            self.run()
        with torch.no_grad():
            for tensor, value in zip(self.tensors.values(), initial, strict=True):
                tensor.copy_(value)
            for state in self._optimizer.state.values():
                state["momentum_buffer"].zero_()  # after which a step is as the first
        return repeat


def separate_step(network: nn.Module, images: Tensor, labels: Tensor, options: Options, device: Device) -> Step:
    """As the engine has it: on CUDA with channels last in memory."""
    network, device = place(network, device)
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    return Step(network, tensors, images.contiguous(memory_format=device.memory_format), labels, options, device)


def stacked_step(
    networks: Sequence[nn.Module], images: Tensor, labels: Tensor, options: Options, device: Device, nhwc: bool
) -> Step:
    """Of copies of the networks. Images of all are laid out as channels of one, of which `vmap` then makes no copy.

    Args:
        images: (networks, n, c, h, w).
        nhwc: whether the channels are last in memory.
    """
    parameters, buffers = stack_module_state(list(networks))
    base = copy.deepcopy(networks[0]).to("meta")  # only the layers: each tensor is a stacked one
    for module in base.modules():
        module.__class__ = {nn.BatchNorm2d: JoinedNorm, resnet.GlobalMeanPool: MeanPool}.get(type(module), type(module))
    form = torch.channels_last if nhwc else torch.contiguous_format
    joined = images.movedim(0, 1).flatten(1, 2).contiguous(memory_format=form)
    images = joined.unflatten(1, (len(networks), -1)).movedim(1, 0)

    def forward_one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor) -> Any:
        return functional_call(base, (parameters, buffers), (images,))

    def forward(images: Tensor) -> Tensor:
        with mock.patch.object(resnet, "relu", lambda x, inplace: torch.relu(x)):
            logits: Tensor = vmap(forward_one)(parameters, buffers, images)
        return logits

    return Step(forward, {**parameters, **buffers}, images, labels, options, device)


def relative_differences(stacked: dict[str, Tensor], separate: dict[str, Tensor]) -> Tensor:
    """(networks,): of all weights and buffers of a network together, by their norm."""
    one, other = (
        torch.cat([tensors[name].double().reshape(len(tensors[name]), -1) for name in separate], dim=1)
        for tensors in (stacked, separate)
    )
    return (one - other).norm(dim=1) / other.norm(dim=1)


class MeanPool(resnet.GlobalMeanPool):
    """Without a query of the memory format, which `vmap` doesn't allow."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class JoinedNorm(nn.BatchNorm2d):
    """Batch norm in training mode, under `vmap` that of all networks in one call."""

    def forward(self, x: Tensor) -> Tensor:
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        tensors = (self.weight, self.bias, self.running_mean, self.running_var)
        y: Tensor = _JoinedNorm.apply(x, *tensors, self.momentum, self.eps)
        return y


class _JoinedNorm(torch.autograd.Function):
    """Only its rule for `vmap` is called; autograd records what that does."""

    @staticmethod
    def forward(*_: Any) -> Any:
        raise NotImplementedError

    @staticmethod
    def setup_context(*_: Any) -> Any:
        raise NotImplementedError

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, *others: Any) -> tuple[Tensor, int]:
        """The others are weight, bias, running mean and variance, each (networks, c), momentum and eps."""
        weight, bias, mean, variance = (tensor.flatten() for tensor in others[:4])
        joined = x.movedim(in_dims[0], 1).flatten(1, 2)
        y = batch_norm(joined, mean, variance, weight, bias, True, *others[4:])
        return y.unflatten(1, (info.batch_size, -1)), 1
