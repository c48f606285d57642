"""Turns objects into values that a checkpoint may hold, and restores them in freshly built objects of the same form.

A checkpoint is loaded with `weights_only=True`, so that it runs no code. It holds tensors, numbers, texts, lists,
tuples and dictionaries; everything else is written as a dictionary with the key `FORM`. An object is restored in the
place of its fresh counterpart: its attributes are set, and no class that a file names is ever built.
"""

import enum
import functools
import random
import sys
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from sweeper.engine.checkpoint_form import FORM, Unfit

_AS_IT_IS = (type(None), bool, int, float, complex, str, torch.dtype, torch.Size)
_DICTIONARIES = {"dict": dict, "OrderedDict": OrderedDict, "defaultdict": defaultdict}
_FACTORIES = {"dict": dict, "list": list, "set": set, "int": int, "float": float}
_SETS = {"set": set, "frozenset": frozenset}
_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType)
_MISSING = object()


class Encoder:
    """Writes values as plain ones.

    Args:
        parameters: written as their numbers, also where they or their `id` are a dictionary's keys.
        elsewhere: objects that are saved elsewhere.
    """

    def __init__(self, parameters: Sequence[torch.Tensor], elsewhere: Iterable[object] = ()) -> None:
        self._numbers = {id(parameter): number for number, parameter in enumerate(parameters)}
        self._objects = {id(thing) for thing in elsewhere}
        self._within: set[int] = set()

    def encode(self, value: Any) -> Any:
        kind = type(value)
        if kind in _AS_IT_IS:
            return value
        if id(value) in self._numbers:
            return {FORM: "parameter", "number": self._numbers[id(value)]}
        if isinstance(value, torch.Tensor):
            return value.detach()
        if isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind in "biufc":
            # By their bytes, since torch has no tensor of some of NumPy's types.
            content = torch.frombuffer(bytearray(value.tobytes()), dtype=torch.uint8) if value.size else torch.zeros(0)
            form = "scalar" if isinstance(value, np.generic) else "array"
            return {FORM: form, "dtype": value.dtype.str, "shape": list(value.shape), "bytes": content}
        if isinstance(value, enum.Enum):
            return {FORM: "enum", "type": kind.__name__, "name": value.name}
        if (state := _generator_state(value)) is not None:
            return {FORM: "generator", "state": self.encode(state)}
        if id(value) in self._within or id(value) in self._objects:
            return _own(value)
        self._within.add(id(value))
        try:
            return self._encode_container(value, kind)
        finally:
            self._within.discard(id(value))

    def _encode_container(self, value: Any, kind: type) -> Any:
        if kind in (list, tuple):
            return kind(self.encode(item) for item in value)
        if kind in _DICTIONARIES.values():
            if kind is dict and FORM not in value and all(self._is_plain_key(key) for key in value):
                return {key: self.encode(item) for key, item in value.items()}
            items = [[self._encode_key(key), self.encode(item)] for key, item in value.items()]
            factory = (
                value.default_factory.__name__ if isinstance(value, defaultdict) and value.default_factory else None
            )
            return {FORM: kind.__name__, "items": items, "factory": factory}
        if kind is deque:
            return {FORM: "deque", "items": [self.encode(item) for item in value], "maxlen": value.maxlen}
        if kind in _SETS.values():
            ordered = sorted(value, key=repr)  # a set of texts has another order in every process
            return {FORM: kind.__name__, "items": [self.encode(item) for item in ordered]}
        if has_attributes(value):
            self._objects.add(id(value))
            return {FORM: "object", "type": kind.__name__, "attributes": self.encode(vars(value))}
        return _own(value)

    def _is_plain_key(self, key: Any) -> bool:
        return type(key) is str or (type(key) is int and key not in self._numbers)

    def _encode_key(self, key: Any) -> Any:
        if type(key) is int and key in self._numbers:
            return {FORM: "id", "number": self._numbers[key]}
        return self.encode(key)


class Restorer:
    """Restores encoded values in fresh ones.

    Args:
        parameters: the parameters in the order in which they were encoded.
        host: whether tensors named `step` stay on the CPU, as torch's optimizers keep them.
    """

    def __init__(self, parameters: Sequence[torch.Tensor], host: bool = True) -> None:
        self._parameters, self._host = parameters, host
        self._near = parameters[0] if parameters else torch.zeros(())

    def near(self, parameter: torch.Tensor) -> "Restorer":
        """A restorer that puts tensors on the device, and in the memory format, of this parameter."""
        other = Restorer(self._parameters, self._host)
        other._near = parameter
        return other

    def restore(self, saved: Any, own: Any = _MISSING, key: Any = None) -> Any:
        """The value. Containers and objects of the fresh value `own` are changed in place.

        Raises:
            Unfit: the value can't be restored.
        """
        if isinstance(saved, torch.Tensor):
            return self._restore_tensor(saved, own, key)
        if isinstance(saved, Mapping):
            return self._restore_form(saved, own) if FORM in saved else self._into_dict(saved.items(), own, {})
        if isinstance(saved, list):
            values = [self.restore(item, _at(own, k)) for k, item in enumerate(saved)]
            if type(own) is not list:
                return values
            own[:] = values
            return own
        if type(saved) is tuple:
            return tuple(self.restore(item, _at(own, k)) for k, item in enumerate(saved))
        return saved

    def restore_attributes(self, thing: Any, saved: Any) -> None:
        """Set attributes that are values; a method can't be replaced.

        Raises:
            Unfit: an attribute can't be restored.
        """
        own = vars(thing)
        for name, value in _checked(saved, Mapping).items():
            now = own.get(name, _MISSING) if isinstance(name, str) else _MISSING
            if not isinstance(name, str) or callable(getattr(type(thing), name, None)) or _is_code(now):
                raise Unfit(f"{name!r:.40} of {type(thing).__name__} is no value")
            own[name] = self.restore(value, now, name)

    def _restore_tensor(self, saved: torch.Tensor, own: Any, key: Any) -> torch.Tensor:
        if isinstance(own, torch.nn.Parameter):
            own.data.copy_(saved)
            return own
        near = self._near
        if key == "step" and self._host and saved.numel() == 1:
            return saved
        if saved.shape == near.shape and (saved.device != near.device or saved.stride() != near.stride()):
            return torch.empty_like(near, dtype=saved.dtype, requires_grad=False).copy_(saved)  # as fused steps require
        return saved.to(near.device)

    def _restore_form(self, saved: Mapping[str, Any], own: Any) -> Any:
        form = saved[FORM]
        if form == "own":
            if own is _MISSING:
                raise Unfit(f"it holds a {saved.get('type')!s:.40}, which a checkpoint can't")
            return own
        if form in ("parameter", "id"):
            number = saved["number"]
            if type(number) is not int or not 0 <= number < len(self._parameters):
                raise Unfit(f"it names the parameter {number!r:.40}")
            return self._parameters[number] if form == "parameter" else id(self._parameters[number])
        if form in ("scalar", "array"):
            return _restore_numpy(saved, own)
        if form == "enum":
            if not isinstance(own, enum.Enum) or saved["name"] not in type(own).__members__:
                raise Unfit(f"it holds a {saved.get('type')!s:.40}, which a checkpoint can't")
            return type(own)[saved["name"]]
        if form == "generator":
            return _set_generator(own, self.restore(saved["state"]))
        if form == "object":
            if own is _MISSING or type(own).__name__ != saved["type"] or not has_attributes(own):
                raise Unfit(f"it holds an object, {saved['type']!s:.40}, which a checkpoint can't")
            self.restore_attributes(own, saved["attributes"])
            return own
        if form in _DICTIONARIES:
            factory = _FACTORIES.get(saved["factory"])
            new: Any = defaultdict(factory) if form == "defaultdict" else _DICTIONARIES[form]()
            pairs = [(self.restore(key), value) for key, value in _checked(saved["items"], list)]
            return self._into_dict(pairs, own, new)
        items = [self.restore(item) for item in _checked(saved["items"], list)]
        if form == "deque":
            return deque(items, maxlen=saved["maxlen"])
        if form in _SETS:
            return _SETS[form](items)
        raise Unfit(f"it has a form {form!r:.40}")

    def _into_dict(self, pairs: Iterable[tuple[Any, Any]], own: Any, new: Any) -> Any:
        target = own if isinstance(own, dict) else new
        values = []
        for key, value in pairs:
            near = self.near(key) if isinstance(key, torch.Tensor) else self
            values.append((key, near.restore(value, target.get(key, _MISSING), key)))
        target.clear()
        for key, value in values:  # a Counter's `update` would count
            target[key] = value
        return target


def has_attributes(value: Any) -> bool:
    """Whether a value is an object whose attributes are saved: none of Python's own, of NumPy's, no code."""
    if not hasattr(value, "__dict__") or _is_code(value) or isinstance(value, torch.Tensor):
        return False
    package = type(value).__module__.partition(".")[0]
    return package == "__main__" or package not in {*sys.stdlib_module_names, "numpy"}


def holds_object(saved: Any) -> bool:
    """Whether an encoded value holds an object, which can be restored in the place of another alone."""
    if isinstance(saved, Mapping):
        return saved.get(FORM) in ("object", "enum", "generator") or any(map(holds_object, saved.values()))
    return isinstance(saved, (list, tuple)) and any(map(holds_object, saved))


def _own(value: Any) -> dict[str, str]:
    """The fresh counterpart is kept."""
    return {FORM: "own", "type": type(value).__name__}


def _is_code(value: Any) -> bool:
    return isinstance(value, (type, functools.partial, types.ModuleType, *_FUNCTIONS))


def _at(own: Any, place: int) -> Any:
    return own[place] if isinstance(own, (list, tuple)) and place < len(own) else _MISSING


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise Unfit(f"it has {value!r:.40} in the place of a {kind.__name__}")
    return value


def _restore_numpy(saved: Mapping[str, Any], own: Any) -> Any:
    dtype = np.dtype(_checked(saved["dtype"], str))
    if dtype.kind not in "biufc":
        raise Unfit(f"it has a NumPy array of {dtype}")
    content = saved["bytes"].to(torch.uint8).numpy().tobytes()
    array = np.frombuffer(content, dtype).reshape(saved["shape"]).copy()
    if saved[FORM] == "scalar":
        return array[()]
    if isinstance(own, np.ndarray) and (own.shape, own.dtype) == (array.shape, array.dtype) and own.flags.writeable:
        own[...] = array  # other objects may hold it too
        return own
    return array


def _generator_state(value: Any) -> Any:
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state(legacy=False)
    return value.get_state() if isinstance(value, torch.Generator) else None


def _set_generator(own: Any, state: Any) -> Any:
    if isinstance(own, random.Random):
        own.setstate(state)
    elif isinstance(own, np.random.Generator):
        own.bit_generator.state = state
    elif isinstance(own, (np.random.RandomState, torch.Generator)):
        own.set_state(state)
    else:
        raise Unfit("it holds a random generator that a fresh one doesn't have")
    return own
