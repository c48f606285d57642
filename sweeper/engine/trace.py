"""Traces a model's forward pass by `torch.fx`, and checks that the graph computes the same as the model.

A module becomes a single call in the graph if its forward pass depends on values or changes the mode of autograd or
autocast. At the end graph and model are compared: logits, gradients and buffers must be the same. A second model of the
same construction, such as that of a sweep's next run, has the same graph, so it is neither traced nor compared.
"""

import copy
import logging
import random
import warnings
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sweeper.engine.construction import construction
from sweeper.engine.devices import Device
from sweeper.system.errors import first_line

IMAGES = 8  # images on which graph and model are compared

log = logging.getLogger("sweeper")

_known: dict[tuple[str, Device, tuple[int, int, int]], fx.Graph] = {}  # by construction, device and shape of an image


def trace(model: nn.Module, device: Device, image_shape: tuple[int, int, int]) -> fx.GraphModule | None:
    """The graph of `model` in its current mode, which calls the model's own modules; None if it can't be traced."""
    known_as = None if (built := construction(model)) is None else (built, device, image_shape)
    if known_as in _known:
        return fx.GraphModule(model, copy.deepcopy(_known[known_as]))
    opaque: set[type[nn.Module]] = set()
    while True:
        try:
            with torch.set_grad_enabled(model.training):
                traced = _trace(model, device, opaque)
                if not _is_the_same(model, traced, device, image_shape):
                    raise fx.proxy.TraceError("its graph gives other numbers")
            if known_as is not None:
                _known[known_as] = copy.deepcopy(traced.graph)  # a copy belongs to no model, which it would keep alive
            return traced
        except torch.OutOfMemoryError:
            raise
        except _Opaque as error:
            opaque.add(error.kind)
        except Exception as error:  # a third-party forward pass may raise anything
            log.debug("the model is used as it is, without fused blocks: %s", first_line(error))
            return None


def _trace(model: nn.Module, device: Device, opaque: set[type[nn.Module]]) -> fx.GraphModule:
    if has_hooks(model):
        raise fx.proxy.TraceError("it has hooks")
    copied = copy.deepcopy(model)  # a forward pass may assign attributes
    before = _host_state(copied, device)
    # A graph would lose activation checkpointing, which uses such hooks, so it is an error here.
    no_checkpointing = torch.autograd.graph.disable_saved_tensors_hooks("it uses checkpointing")
    with device.autocast(), no_checkpointing, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about proxies instead of tensors
        graph = _Tracer(opaque).trace(copied)
    if _host_state(copied, device) != before:
        raise fx.proxy.TraceError("it draws random numbers or counts on the host")
    return fx.GraphModule(model, graph)


def _host_state(model: nn.Module, device: Device) -> list[Any]:
    """The states of the random generators, and the numbers and strings among the attributes of the model's modules."""
    numpys = np.random.get_state(legacy=False)["state"]
    states = [numpys["key"], torch.get_rng_state()] + ([torch.cuda.get_rng_state()] if device.kind == "cuda" else [])
    numbers = [v for m in model.modules() for v in vars(m).values() if isinstance(v, (bool, int, float, str))]
    return [random.getstate(), numpys["pos"], *(state.tolist() for state in states), numbers]


def has_hooks(module: nn.Module) -> bool:
    """Whether a call of the module runs hooks besides its forward pass."""
    return bool(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )


class _Opaque(Exception):
    """Modules of this class can't be traced and must stay single calls."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__(kind)
        self.kind = kind


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True  # a buffer may be changed by the forward pass, so it isn't a constant

    def __init__(self, opaque: set[type[nn.Module]]) -> None:
        super().__init__()
        self.opaque = opaque
        self.mode = _mode()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        # The momentum of batch norm isn't a constant, see `sweeper/engine/averaging.py`.
        whole = type(m) in self.opaque or isinstance(m, _BatchNorm) or has_hooks(m)
        return whole or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: object, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        try:
            return super().call_module(m, forward, args, kwargs)  # type: ignore[arg-type]
        except _Opaque:
            raise
        except Exception as error:
            if self.is_leaf_module(m, self.path_of_module(m)):
                raise
            raise _Opaque(type(m)) from error

    def create_arg(self, a: Any) -> Any:
        if isinstance(a, torch.Tensor) and not isinstance(a, nn.Parameter):
            raise fx.proxy.TraceError("it makes a tensor that a graph would keep")
        return super().create_arg(a)

    def create_node(self, *args: object, **kwargs: object) -> fx.Node:
        if _mode() != self.mode:
            raise fx.proxy.TraceError("it changes the mode of autograd or autocast")
        return super().create_node(*args, **kwargs)  # type: ignore[arg-type]


def _mode() -> tuple[object, ...]:
    """The modes of autograd and autocast, which a graph doesn't record."""
    autocasts = [(torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in ("cuda", "cpu")]
    return torch.is_grad_enabled(), *autocasts


def _is_the_same(model: nn.Module, traced: nn.Module, device: Device, image_shape: tuple[int, int, int]) -> bool:
    """Whether both give the same logits, gradients and buffers. What the passes change in the model is restored."""
    where = device.torch_device
    images = torch.rand(IMAGES, *image_shape, generator=torch.Generator().manual_seed(0)).to(where)
    images = images.contiguous(memory_format=device.memory_format)
    parameters = [p for p in model.parameters() if p.requires_grad]
    kept = [buffer.clone() for buffer in model.buffers()]
    results = []
    for forward in (model, traced.forward):  # calling the module would print its errors
        with torch.random.fork_rng([torch.cuda.current_device()] if where.type == "cuda" else []):
            torch.manual_seed(0)  # for dropout
            with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
                with device.autocast():
                    logits = forward(images)
                result = [logits.float()]
                if torch.is_grad_enabled():
                    result[0].square().mean().backward()
                    result += [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        results.append([tensor.detach().clone() for tensor in (*result, *(b.float() for b in model.buffers()))])
        model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in zip(model.buffers(), kept, strict=True):
                buffer.copy_(before)
    sizes = torch.stack(torch._foreach_norm(results[0])).double()
    differences = torch.stack(torch._foreach_norm(torch._foreach_sub(*results))).double()
    # A gradient may consist of rounding errors only, such as that of a bias before batch norm.
    return bool((differences <= 0.01 * sizes + 1e-4 * sizes.max()).all())
