"""What a model is built of, by which two models are known to compute the same but for the values of their tensors."""

from typing import Any

from torch import nn

# The classes of these packages compute by their attributes and tensors alone; a user's may also look at a global, at
# what an earlier call left behind or at values.
PACKAGES = ("torch.nn.modules.", "torchvision.models.", "torchvision.ops.", "sweeper.models.")
PLAIN = (type(None), bool, int, float, str)
_TENSORS, _MODULES = ("_parameters", "_buffers"), "_modules"


def construction(model: nn.Module) -> str | None:
    """The classes, options, modes and tensors' shapes of all its modules; None if that isn't all that matters.

    It is None if any module's class is a user's, or a module has a hook or an attribute that isn't plain.
    """
    numbers: dict[int, int] = {}  # of each module and tensor, by its identity: one may be in two places
    parts: list[object] = []
    for name, module in model.named_modules(remove_duplicate=False):
        if not _is_known(type(module)):
            return None
        parts.append((name, numbers.setdefault(id(module), len(numbers)), type(module)))
        for key, value in sorted(vars(module).items()):
            if key in _TENSORS:
                for tensor_name, tensor in value.items():
                    parts.append((key, tensor_name, _form(tensor), numbers.setdefault(id(tensor), len(numbers))))
            elif key != _MODULES and not (isinstance(value, (dict, set)) and not value):
                if not _is_plain(value):
                    return None
                parts.append((key, value))
    return repr(parts)


def _form(tensor: Any) -> object:
    return None if tensor is None else (tuple(tensor.shape), str(tensor.dtype), tensor.requires_grad)


def _is_known(kind: type) -> bool:
    return kind.__module__.startswith(PACKAGES)


def _is_plain(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(map(_is_plain, value))
    return _is_known(value) if isinstance(value, type) else type(value) in PLAIN
