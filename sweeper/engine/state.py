"""The state of a run's parts as plain values, with those that PyTorch's `state_dict` leaves out."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sweeper.engine.checkpoint_form import Unfit
from sweeper.engine.difference import first_difference
from sweeper.engine.plain_form import Encoder, Restorer, holds_object

# Options of torch's optimizers that select the implementation of a step; they depend on the device.
IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")


def read_state(part: Any) -> dict[str, Any]:
    """The part's state with learning rates as numbers, since a tensor would belong to one kind of device.

    Raises:
        Unfit: a checkpoint can't hold it.
    """
    if isinstance(part, Optimizer):
        return _read_optimizer(part)
    state: dict[str, Any] = part.state_dict()
    if isinstance(part, LRScheduler):
        state = {**state, "_last_lr": [float(lr) for lr in state["_last_lr"]]}
    for key, value in state.items():
        if not isinstance(value, torch.Tensor) and not isinstance(part, Attributes):
            state[key] = Encoder([]).encode(value)
    return state


def load_state(part: Any, state: Mapping[str, Any], back: bool = False) -> None:
    """Load a state that `read_state` has returned, or a `state_dict` that an earlier version has saved.

    Args:
        back: it is the part's own state from before: options that its groups have got since are taken out.

    Raises:
        Unfit: a value can't be restored.
        KeyError: the optimizer would then lack an option that its next step needs.
    """
    if isinstance(part, Optimizer):
        for saved, own in zip(state["param_groups"], part.param_groups, strict=True) if back else ():
            for key in own.keys() - saved.keys():
                del own[key]
        _load_optimizer(part, state)
        return
    if not isinstance(part, Attributes):
        own, state = part.state_dict(), copy.copy(state)
        for key, value in state.items():
            if not isinstance(value, torch.Tensor):
                state[key] = Restorer([]).restore(value, *([own[key]] if key in own else []))  # type: ignore[index]
    part.load_state_dict(state)


def parameters_of(optimizer: Optimizer) -> list[torch.Tensor]:
    """Its parameters in the order in which PyTorch numbers them."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


class Attributes:
    """What changes in training outside of every `state_dict`: plain attributes, and buffers that aren't persistent.

    Its state has those that differ from the fresh ones, by the name of the module, or "optimizer". An attribute may
    be an object, whose attributes then are its value.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer | None = None) -> None:
        self._holders: dict[str, Any] = {f"model.{name}": module for name, module in model.named_modules()}
        self._parameters: list[torch.Tensor] = [p for p in model.parameters() if p.requires_grad]
        if optimizer is not None:
            self._holders["optimizer"], self._parameters = optimizer, parameters_of(optimizer)
        self._optimizer = optimizer
        self._fresh = copy.deepcopy(dict(self._read()))

    def state_dict(self) -> dict[str, Any]:
        changed = {}
        for name, now in self._read():
            fresh = self._fresh.get(name, {})
            values = {
                key: v for key, v in now.items() if key not in fresh or first_difference(v, fresh[key]) is not None
            }
            if values:
                changed[name] = values
        return changed

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore these attributes, and the fresh values of all others."""
        if not all(name in self._holders and isinstance(values, Mapping) for name, values in state.items()):
            raise Unfit("it has attributes of other modules")
        restorer = Restorer(self._parameters, _steps_on_host(self._optimizer))
        for name, now in list(self._read()):
            holder, wanted = self._holders[name], {**self._fresh[name], **state.get(name, {})}
            for key in now.keys() - wanted.keys():
                del vars(holder)[key]
            for key, value in wanted.items():
                if key in now and first_difference(value, now[key]) is None:
                    continue
                if key in _transient(holder):
                    holder._buffers[key] = restorer.restore(copy.deepcopy(value), holder._buffers[key])
                else:
                    restorer.restore_attributes(holder, {key: copy.deepcopy(value)})

    def _read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        elsewhere: list[object] = list(self._holders.values())
        if self._optimizer is not None:  # `read_state` has them
            groups = self._optimizer.param_groups
            elsewhere += [self._optimizer.state, groups, *groups]
        encoder = Encoder(self._parameters, elsewhere)
        for name, holder in self._holders.items():
            values = {key: value for key, value in vars(holder).items() if key not in _KNOWN}
            values |= {key: holder._buffers[key] for key in _transient(holder)}
            yield name, {key: encoder.encode(value) for key, value in values.items()}


# Attributes that every optimizer and module has, and the method that a schedule wraps.
_KNOWN = {
    *vars(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.0)),
    *vars(nn.Module()),
    "step",
    "_opt_called",
}


def _transient(holder: Any) -> list[str]:
    """The names of a module's buffers that its `state_dict` leaves out."""
    return sorted(holder._non_persistent_buffers_set) if isinstance(holder, nn.Module) else []


def _steps_on_host(optimizer: Optimizer | None) -> bool:
    groups = [] if optimizer is None else optimizer.param_groups
    return not any(group.get("fused") or group.get("capturable") for group in groups)


def _read_optimizer(optimizer: Optimizer) -> dict[str, Any]:
    """In the form of PyTorch's `state_dict`, also for an optimizer that has a `state_dict` of its own."""
    parameters = parameters_of(optimizer)
    numbers = {id(parameter): number for number, parameter in enumerate(parameters)}
    encoder, state, groups = Encoder(parameters), {}, []
    for key, value in optimizer.state.items():
        if id(key) not in numbers and not isinstance(key, str):
            raise Unfit(f"the optimizer's state is of {key!r:.40}, which is none of its parameters")
        state[numbers.get(id(key), key)] = encoder.encode(value)
    for group in optimizer.param_groups:
        options = {key: encoder.encode(value) for key, value in group.items() if key != "params"}
        groups.append({**options, "lr": float(group["lr"]), "params": [numbers[id(p)] for p in group["params"]]})
    return {"state": state, "param_groups": groups}


def _load_optimizer(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Load it in place, since an optimizer that wraps another shares its groups and state."""
    parameters = parameters_of(optimizer)
    groups = [{k: v for k, v in group.items() if k != "params"} for group in saved["param_groups"]]
    for group, own in zip(_with_options_of_today(optimizer, groups), optimizer.param_groups, strict=True):
        group.update({key: own[key] for key in IMPLEMENTATION if key in own})
        if missing := sorted(own.keys() - group.keys() - {"params"}):
            raise KeyError(missing[0])
        for key, value in group.items():
            own[key] = Restorer(parameters).restore(value, *([own[key]] if key in own else []))
    restorer = Restorer(parameters, _steps_on_host(optimizer))
    before: dict[Any, Any] = dict(optimizer.state)
    if holds_object(list(saved["state"].values())):
        before = {**_stepped_objects(optimizer), **before}
    state: dict[Any, Any] = {}
    for number, value in saved["state"].items():
        key = number if isinstance(number, str) else parameters[number]
        near = restorer if isinstance(number, str) else restorer.near(parameters[number])
        state[key] = near.restore(value, *([before[key]] if key in before else []))
    optimizer.state.clear()
    optimizer.state.update(state)


def _stepped_objects(optimizer: Optimizer) -> dict[Any, Any]:
    """The state after a step of a copy, by the original's parameters: it has the objects that a step creates."""
    copies = {id(p): nn.Parameter(p.detach().clone(), p.requires_grad) for p in parameters_of(optimizer)}
    originals = {id(copies[id(p)]): p for p in parameters_of(optimizer)}
    twin = object.__new__(type(optimizer))
    memo = dict[int, Any](copies)
    twin.__dict__.update({key: copy.deepcopy(value, memo) for key, value in vars(optimizer).items() if key != "step"})
    for parameter in copies.values():
        parameter.grad = torch.ones_like(parameter)
    twin.step()
    return {originals.get(id(key), key): value for key, value in twin.state.items()}


def _with_options_of_today(optimizer: Optimizer, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups with options that an earlier version of the class lacked, set by its `__setstate__`."""
    if type(optimizer).__setstate__ is not Optimizer.__setstate__:
        twin = object.__new__(type(optimizer))
        twin.__dict__.update(vars(optimizer))
        full = [{**group, "params": own["params"]} for group, own in zip(groups, optimizer.param_groups, strict=True)]
        twin.__setstate__({"state": {}, "param_groups": full})
        groups = [{k: v for k, v in group.items() if k != "params"} for group in full]
    return groups
