"""Builds a run's model, optimizer and schedule from their configuration nodes.

A node names a class or function of any installed package by `_target_`, as for `hydra.utils.instantiate`, and its
options by keyword. This module adds arguments that only the run knows (`params`, `total_steps`, `num_classes`, ...).
A value that is itself a node with `_target_`, or a list of such nodes, is built first; a node with `_partial_: true`
becomes a `functools.partial`.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sweeper.config.targets import load_target
from sweeper.engine.device_errors import is_of_device
from sweeper.system.errors import OF_USERS_CODE, BadInput, message_of, nearest, one_line
from sweeper.system.random_streams import stream_seed
from sweeper.system.text import counted

NOT_OPTIONS = ("name", "_target_", "_partial_")


def build_model(model: dict[str, Any], data_shape: tuple[int, int, int], num_classes: int, seed: int) -> nn.Module:
    """Build the network on the CPU in training mode; its initial weights depend on `seed` only.

    The target gets `num_classes`, and `in_channels`, `image_shape` (channels, height, width) and `image_size` (the side
    of square images) if it has such parameters.

    Args:
        data_shape: (channels, height, width) of an image.

    Raises:
        BadInput: it can't be built, doesn't map images (n, *data_shape) to logits (n, num_classes), or has no
            trainable parameters.
    """
    channels, height, width = data_shape
    target = load_target("model._target_", model["_target_"])
    given: dict[str, Any] = {"num_classes": num_classes}
    if _takes(target, "in_channels"):
        given["in_channels"] = channels
    if _takes(target, "image_shape") and "image_shape" not in model:
        given["image_shape"] = data_shape
    if _takes(target, "image_size") and "image_size" not in model:
        if height != width:
            raise BadInput(f"model={_name(model)}: takes square images only; these are {height}×{width}")
        given["image_size"] = height
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed(seed, "weights"))
        built = _call("model", model, target, **given)
        if not isinstance(built, nn.Module):
            raise BadInput(
                f"model={_name(model)}: {model['_target_']} returned {type(built).__name__}, not a torch.nn.Module"
            )
        _check_forward(built, model, data_shape, num_classes)
    if not any(p.requires_grad for p in built.parameters()):
        raise BadInput(f"model={_name(model)}: {model['_target_']} has no trainable parameters")
    return built


def _check_forward(built: nn.Module, model: dict[str, Any], data_shape: tuple[int, int, int], num_classes: int) -> None:
    shape = (2, *data_shape)
    built.eval()
    try:
        with torch.no_grad():
            logits = built(torch.zeros(shape))
    except OF_USERS_CODE as error:  # a network may raise anything on images that it isn't made for
        raise BadInput(
            f"model={_name(model)}: {model['_target_']} fails on images {shape}: {one_line(error)}"
        ) from error
    got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if got != (2, num_classes):
        raise BadInput(
            f"model={_name(model)}: {model['_target_']} returns {got} for images {shape}, not (2, {num_classes})"
        )
    built.train()


def build_optimizer(optimizer: dict[str, Any], model: nn.Module, decay_norms_and_biases: bool) -> Optimizer:
    """Build the optimizer over `model`'s trainable parameters, each in exactly one group.

    Without `decay_norms_and_biases`, parameters of at most one dimension get no weight decay. A class with
    `uses_roles = True` gets groups with a `role`: "hidden" (see `hidden_weights`) or "other".

    Raises:
        BadInput: it can't be built, or needs something that the training loop doesn't provide.
    """
    target = load_target("optimizer._target_", optimizer["_target_"])
    hidden: set[torch.Tensor] | None = None
    if getattr(target, "uses_roles", False):
        hidden = hidden_weights(model)
        if not hidden:
            raise BadInput(
                f"optimizer={_name(optimizer)}: is for hidden layers, and the model has none between its first and its "
                "last; choose a deeper model or another optimizer"
            )
    decays = "weight_decay" in optimizer or _takes(target, "weight_decay")
    groups = _parameter_groups(model, hidden, decay_all=decay_norms_and_biases or not decays)
    on_cuda = next(model.parameters()).is_cuda
    built = _call("optimizer", optimizer, target, groups, **(_without_host(optimizer, target) if on_cuda else {}))
    made = f"optimizer={_name(optimizer)}: {optimizer['_target_']}"
    if not isinstance(built, Optimizer):
        raise BadInput(f"{made} makes no torch.optim.Optimizer; name a class of one, or a function that returns one")
    if _needs_arguments(built.step) and not getattr(built, "needs_closure", False):  # the loop has one: `Step.again`
        raise BadInput(
            f"{made}: its step() needs arguments, and gets none; a class that computes the gradients again says so by "
            "needs_closure = True, and gets a closure"
        )
    grouped = [id(p) for group in built.param_groups for p in group["params"]]
    trainable = [id(p) for p in model.parameters() if p.requires_grad]
    if sorted(grouped) != sorted(trainable):
        raise BadInput(
            f"{made} has {counted(len(grouped), 'parameter')} in its groups, of {len(trainable)} that the model "
            "trains; each must be in exactly one group"
        )
    for group in built.param_groups:
        group.setdefault("lr", 1.0)  # for schedules; a class that names no rate doesn't read it
    return built


def _without_host(optimizer: dict[str, Any], target: Callable[..., Any]) -> dict[str, bool]:
    """Options with which a torch optimizer's step can be part of a CUDA graph; none if the user set any of them."""
    if any(optimizer.get(name) is not None for name in ("foreach", "fused", "capturable", "differentiable")):
        return {}
    options = {name: True for name in ("fused", "capturable") if _takes(target, name)}
    if options:
        probe = nn.Parameter(torch.zeros(1, device="cuda"))
        probe.grad = torch.zeros_like(probe)
        try:
            _call("optimizer", optimizer, target, [probe], **options).step()
        except (BadInput, RuntimeError) as error:  # e.g. Adagrad takes `fused`, but not on CUDA
            if is_of_device(error):  # it tells nothing of the options
                raise
            return {}
    return options


def build_schedule(schedule: dict[str, Any], optimizer: Optimizer, total_steps: int) -> LRScheduler:
    """Build the learning rate schedule, to be stepped once after each of `total_steps` training steps.

    The target gets the optimizer, and `total_steps` if it has such a parameter, as torch's `OneCycleLR` does.

    Raises:
        BadInput: it can't be built, or its step needs something that the training loop doesn't provide.
    """
    target = load_target("schedule._target_", schedule["_target_"])
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            # With a Python number the schedule computes on the host and never waits for the device.
            group.setdefault("initial_lr", float(group["lr"]))
    given = {"total_steps": total_steps} if _takes(target, "total_steps") and "total_steps" not in schedule else {}
    built = _call("schedule", schedule, target, optimizer, **given)
    if not isinstance(built, LRScheduler) or _needs_arguments(built.step):
        raise BadInput(
            f"schedule={_name(schedule)}: {schedule['_target_']} isn't an LRScheduler whose step() needs no arguments"
        )
    return built


def hidden_weights(model: nn.Module) -> set[torch.Tensor]:
    """Trainable weights of linear layers and convolutions, except the first and the last.

    The order is that in which the model registers them; the last is the last linear layer, the classifier.
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layers = [module for module in model.modules() if isinstance(module, kinds)]
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    ends = {id(layer.weight) for layer in [*layers[:1], *(linear or layers)[-1:]]} | embeddings
    return {layer.weight for layer in layers if layer.weight.requires_grad and id(layer.weight) not in ends}


def _call(group: str, node: dict[str, Any], target: Callable[..., Any], *args: Any, **given: Any) -> Any:
    """Call `target` with the node's options and the run's arguments, after checking both against its signature."""
    parameters = _parameters(target)[len(args) :]
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    options = {key: value for key, value in node.items() if key not in NOT_OPTIONS}
    for key in given:
        if key not in names and not takes_any:
            raise BadInput(f"{group}={_name(node)}: {node['_target_']} must take the option {key}")
    for key in options:
        if key not in names and not takes_any:
            raise BadInput(
                f"{group}.{key}: {node['_target_']} takes no such option; {nearest(key, names - set(given))}"
            )
    for p in parameters:
        if p.name in names - set(options) - set(given) and p.default is p.empty:
            raise BadInput(f"{group}.{p.name}: missing; {node['_target_']} needs a value")
    options = {key: _build_value(f"{group}.{key}", value) for key, value in options.items()}
    try:
        return target(*args, **{**given, **options})
    except BadInput:
        raise
    except OF_USERS_CODE as error:  # a third-party constructor may raise anything for a bad value
        if group != "model" and is_of_device(error):  # no bad value; a model is built on the host, so its size is one
            raise
        nulls = "".join(f"; {group}.{key}=null" for key, value in options.items() if value is None)
        advice = nulls if "NoneType" in message_of(error) else ""
        raise BadInput(f"{group}={_name(node)}: {node['_target_']}: {one_line(error)}{advice}") from error


def _build_value(option: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_build_value(f"{option}[{k}]", item) for k, item in enumerate(value)]
    if not isinstance(value, dict) or "_target_" not in value:
        return value
    target = load_target(f"{option}._target_", value["_target_"])
    if value.get("_partial_"):
        options = {k: _build_value(f"{option}.{k}", v) for k, v in value.items() if k not in NOT_OPTIONS}
        return functools.partial(target, **options)
    return _call(option, value, target)


def _parameter_groups(model: nn.Module, hidden: set[torch.Tensor] | None, decay_all: bool) -> list[dict[str, Any]]:
    """One group with weight decay and one without, or two such pairs with roles, the hidden weights first."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            is_hidden = hidden is not None and parameter in hidden
            groups.setdefault((is_hidden, decay_all or parameter.ndim > 1), []).append(parameter)
    roles = [{"role": "hidden" if is_hidden else "other"} if hidden is not None else {} for is_hidden, _ in groups]
    return [
        {"params": groups[key], **role, **({} if key[1] else {"weight_decay": 0.0})}
        for key, role in sorted(zip(groups, roles, strict=True), key=lambda pair: pair[0], reverse=True)
    ]


def _parameters(target: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(target).parameters.values())
    except ValueError:  # some built-in functions have no signature: assume that they take everything
        return [inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)]


def _takes(target: Callable[..., Any], name: str) -> bool:
    return any(p.name == name for p in _parameters(target))


def takes_option(target: str, name: str) -> bool:
    """Whether the class or function that `_target_` names has a parameter of this name."""
    return _takes(load_target("_target_", target), name)


def _needs_arguments(method: Callable[..., Any]) -> bool:
    return any(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in _parameters(method))


def _name(node: dict[str, Any]) -> str:
    return str(node.get("name", node["_target_"]))
