"""A model's forward pass as a graph of its calls, by `torch.fx`, where that says all that the forward pass does.

A class of modules whose forward pass depends on values, or enters another mode of autograd or autocast, stays one call
of the graph. At last the graph is run beside the model: logits and gradients must be the same.
"""

import logging

import torch
from torch import fx, nn

from sweeper.devices import Device
from sweeper.errors import first_line

IMAGES = 8  # on which the graph is held against the model

log = logging.getLogger("sweeper")


def trace(model: nn.Module, device: Device, image_shape: tuple[int, int, int]) -> fx.GraphModule | None:
    """The graph of `model` in its present mode, over its own modules; None where there is none that is the same."""
    opaque: set[type[nn.Module]] = set()
    while True:
        try:
            if has_hooks(model):
                raise fx.proxy.TraceError("it has hooks")
            with torch.set_grad_enabled(model.training):
                # Checkpointing, which frees activations by such hooks, would be lost: so it is an error here.
                with device.autocast(), torch.autograd.graph.disable_saved_tensors_hooks("it uses checkpointing"):
                    traced = fx.GraphModule(model, _Tracer(opaque).trace(model))
                if not _is_the_same(model, traced, device, image_shape):
                    raise fx.proxy.TraceError("its graph gives other numbers")
                return traced
        except torch.OutOfMemoryError:
            raise
        except _Opaque as error:
            opaque.add(error.kind)
        except Exception as error:  # forward passes of any package fail in their own ways
            log.debug("the model is used as it is, without fused blocks: %s", first_line(error))
            return None


def has_hooks(module: nn.Module) -> bool:
    """Whether calling it is more than its forward pass."""
    return bool(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    )


class _Opaque(Exception):
    """Modules of that class can't be looked into."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__(kind)
        self.kind = kind


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True  # a buffer that the forward pass changes isn't a constant

    def __init__(self, opaque: set[type[nn.Module]]) -> None:
        super().__init__()
        self.opaque = opaque
        self.mode = _mode()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in self.opaque or has_hooks(m) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: object, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        try:
            return super().call_module(m, forward, args, kwargs)  # type: ignore[arg-type]
        except _Opaque:
            raise
        except Exception as error:
            if self.is_leaf_module(m, self.path_of_module(m)):
                raise
            raise _Opaque(type(m)) from error

    def create_node(self, *args: object, **kwargs: object) -> fx.Node:
        if _mode() != self.mode:
            raise fx.proxy.TraceError("it changes the mode of autograd or autocast")
        return super().create_node(*args, **kwargs)  # type: ignore[arg-type]


def _mode() -> tuple[object, ...]:
    """What a graph doesn't keep of the place of a call."""
    autocasts = [(torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in ("cuda", "cpu")]
    return torch.is_grad_enabled(), *autocasts


def _is_the_same(model: nn.Module, traced: nn.Module, device: Device, image_shape: tuple[int, int, int]) -> bool:
    """Both give the same logits and gradients; what a pass changes in the model is put back."""
    where = device.torch_device
    images = torch.rand(IMAGES, *image_shape, generator=torch.Generator().manual_seed(0)).to(where)
    images = images.contiguous(memory_format=device.memory_format)
    parameters = [p for p in model.parameters() if p.requires_grad]
    buffers = list(model.buffers())
    kept = [buffer.clone() for buffer in buffers]
    results = []
    for forward in (model, traced.forward):  # called as a module, it writes its errors to the terminal
        with torch.random.fork_rng([torch.cuda.current_device()] if where.type == "cuda" else []):
            torch.manual_seed(0)  # for dropout
            with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
                with device.autocast():
                    logits = forward(images)
                result = [logits.float()]
                if torch.is_grad_enabled():
                    loss = result[0].square().mean()
                    result += torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        results.append([tensor.detach() for tensor in result])
        with torch.no_grad():
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.copy_(before)
    sizes = torch.stack(torch._foreach_norm(results[0])).double()
    differences = torch.stack(torch._foreach_norm(torch._foreach_sub(*results))).double()
    # A gradient may be nothing but rounding, such as that of a bias before batch norm.
    return bool((differences <= 0.1 * sizes + 1e-3 * sizes.max()).all())
