"""A pretended MPS device: tensors that say they lie on the device and compute on the CPU, every operator recorded.

What real MPS refuses is refused here or recorded: float64, tensors of two devices in one operator, and operators
without an MPS kernel, as torch's own table tells (`native_functions.yaml`, which ships inside torch).
"""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torchgen
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map
from torchgen.gen import parse_native_yaml
from torchgen.model import DispatchKey

MPS = torch.device("meta")  # what torch is told: beside the CPU the one device that autograd needs no driver for
COMPOSITE = (
    DispatchKey.CompositeImplicitAutograd,
    DispatchKey.CompositeExplicitAutograd,
    DispatchKey.CompositeExplicitAutogradNonFunctional,
)
# Operators of tensors of both devices.
COPIES = ("aten::copy_", "aten::_to_copy")


class MpsTensor(torch.Tensor):
    """Says that it lies on the device; `inner` is the CPU tensor that holds its values."""

    inner: torch.Tensor
    is_meta = False  # else a model refuses the values of a checkpoint

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "MpsTensor":
        made = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="cpu",  # to C++, which would look for a device that isn't there
            requires_grad=False,
            dispatch_device=True,
        )
        made.inner = inner
        return made

    def __repr__(self, **_: Any) -> str:
        return f"MpsTensor({self.inner})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.inner.__reduce_ex__(protocol)  # a checkpoint is loaded to the CPU

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.prim.device.default:
            return MPS
        raise RuntimeError(f"{func} outside of pretended_mps()")


class AsWithDriver(TorchFunctionMode):
    """What torch does otherwise for a real device, before any operator: numbers go there and come back by a copy."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.tolist:
            return args[0].cpu().tolist()
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        return func(*args, **kwargs)


class PretendedMps(TorchDispatchMode):
    """While it is entered, tensors can be moved to the device and made there.

    Attributes:
        operators: names with overload of all operators that ran on the device, e.g. `aten::add.Tensor`.
        float64: those that had a float64 tensor.
        mixed: those that had a tensor of the host with more than one number; the copies are meant to have.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operators: set[str] = set()
        self.float64: set[str] = set()
        self.mixed: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.prim.device.default:
            return MPS
        kwargs = dict(kwargs or {})
        given = [t for t in tree_iter((args, kwargs)) if isinstance(t, torch.Tensor)]
        on_device = [t for t in given if isinstance(t, MpsTensor)]
        to = kwargs.get("device")
        if to is not None:
            to = torch.device(to)
            kwargs["device"] = torch.device("cpu")
        result = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
        if not on_device and (to is None or to != MPS):
            return result
        self._record(func, given, result)
        if to is not None and to.type == "cpu":
            # On the CPU .to() may give the tensor itself; from a device it gives a copy.
            return tree_map(lambda t: t.clone() if isinstance(t, torch.Tensor) else t, result)
        wrappers = {id(t.inner): t for t in on_device}  # what is changed in place comes back as it was given
        return tree_map(lambda t: wrappers[id(t)] if id(t) in wrappers else _wrap(t), result)

    def _record(self, func: Any, given: list[torch.Tensor], result: Any) -> None:
        name = func.name()
        self.operators.add(name)
        tensors = [*given, *(t for t in tree_iter(result) if isinstance(t, torch.Tensor))]
        if any(t.dtype in (torch.float64, torch.complex128) for t in tensors):
            self.float64.add(name)
        of_host = [t for t in given if not isinstance(t, MpsTensor) and t.dim() > 0]
        if of_host and name.split(".")[0] not in COPIES:
            self.mixed.add(name)

    def objections(self) -> list[str]:
        """What real MPS wouldn't do of all that was recorded, a line each."""
        return sorted(
            [f"{name} has no MPS kernel" for name in self.operators if not has_mps_kernel(name)]
            + [f"{name} of float64" for name in self.float64]
            + [f"{name} of tensors of two devices" for name in self.mixed]
        )


@contextlib.contextmanager
def pretended_mps() -> Iterator[PretendedMps]:
    """The device for the time of a `with`."""
    overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # a parameter of another class can't be filled
    try:
        with AsWithDriver(), PretendedMps() as mode:
            yield mode
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)


def has_mps_kernel(name: str) -> bool:
    """Whether an operator such as `aten::add.Tensor` has a kernel on MPS, its own or a composite one.

    A structured operator has that of the operator it delegates to. Those that aren't torch's own have none.
    """
    namespace, _, operator = name.partition("::")
    functions, kernels = _native_functions()
    if namespace != "aten" or operator not in functions:
        return False
    function = functions[operator]
    names = {str(function.func.name), str(function.structured_delegate or function.func.name)}
    return any(name in kernels[key] for name in names for key in (DispatchKey.MPS, *COMPOSITE))


@functools.cache
def _native_functions() -> tuple[dict[str, Any], dict[DispatchKey, set[str]]]:
    """Every operator by name, and the names that have a kernel, by dispatch key."""
    native = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native"
    parsed = parse_native_yaml(str(native / "native_functions.yaml"), str(native / "tags.yaml"))
    functions = {str(function.func.name): function for function in parsed.native_functions}
    kernels = {key: {str(name) for name in parsed.backend_indices[key].index} for key in (DispatchKey.MPS, *COMPOSITE)}
    return functions, kernels


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, MpsTensor) else value


def _wrap(value: Any) -> Any:
    return MpsTensor(value) if isinstance(value, torch.Tensor) else value
