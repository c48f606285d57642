"""Imports the class or function that a `_target_` names."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from sweeper.runs.identity import NAMES_OF_TODAY
from sweeper.system.errors import OF_USERS_CODE, BadInput, install, nearest, one_line

MOST_LISTED = 10  # names listed in an error
EXTRAS = {"pytorch_optimizer": "optimizers", "schedulefree": "optimizers"}  # packages, and extras with them


def check_targets(config: Mapping[str, Any]) -> None:
    """Import what a run's model, optimizer and schedule name: what isn't installed is told before data are read.

    Raises:
        BadInput: see `load_target`.
    """
    for group in ("model", "optimizer", "schedule"):
        load_target(f"{group}._target_", config[group]["_target_"])


def load_target(option: str, path: str) -> Callable[..., Any]:
    """The class or function at a dotted path such as `torch.optim.SGD`.

    Args:
        option: the option that holds the path, for the error, e.g. `optimizer._target_`.

    Raises:
        BadInput: the path names no class or function, or its module can't be imported.
    """
    path = NAMES_OF_TODAY.get(str(path), str(path))
    parts = path.split(".")  # a nested node comes straight from the user's YAML
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise BadInput(f"{option}={path}: must be a dotted path of a class or function, e.g. torch.optim.SGD")
    found = _import_module(option, path, parts[0])
    if found is None:
        extra = EXTRAS.get(parts[0])
        how = install(extra) if extra else "install it"
        raise BadInput(f"{option}={path}: no package {parts[0]!r}; {how}, or start from the folder it lies in")
    for k, part in enumerate(parts[1:], start=1):
        parent, prefix = found, ".".join(parts[:k])
        found = getattr(parent, part, None)
        if found is None and inspect.ismodule(parent):
            found = _import_module(option, path, f"{prefix}.{part}")
        if found is None:
            names = _names_in(parent, callable if part is parts[-1] else inspect.ismodule)
            if len(names) > MOST_LISTED:
                names = get_close_matches(part, names, n=MOST_LISTED, cutoff=0.3)
            raise BadInput(
                f"{option}={path}: {prefix} has no {part!r}" + (f"; {nearest(part, names)}" if names else "")
            )
    if not callable(found):
        raise BadInput(f"{option}={path}: is no class or function")
    target: Callable[..., Any] = found
    return target


def _names_in(parent: Any, wanted: Callable[[Any], bool]) -> list[str]:
    """Public names of a module or class. Names that it only imports are listed only if it defines none itself."""
    there = {name: v for name, v in getattr(parent, "__dict__", {}).items() if wanted(v) and not name.startswith("_")}
    homes = {name: getattr(v, "__name__" if inspect.ismodule(v) else "__module__", None) for name, v in there.items()}
    own = [name for name, home in homes.items() if f"{home}.".startswith(f"{getattr(parent, '__name__', '')}.")]
    return own or list(there)


def _import_module(option: str, path: str, module: str) -> Any:
    """The module, or None if no module has that name."""
    try:
        return importlib.import_module(module)
    except OF_USERS_CODE as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            return None
        raise BadInput(f"{option}={path}: importing {module} failed: {one_line(error)}") from error
