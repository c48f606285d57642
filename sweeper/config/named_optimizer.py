"""Finds an optimizer class by its name, for `optimizer=any`, and completes its options by its own defaults."""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sweeper.config.grammar import value_text
from sweeper.config.targets import MOST_LISTED
from sweeper.runs.checks import is_plain_number
from sweeper.system.errors import BadInput, install, nearest, squeezed

PACKAGES = ("torch.optim", "pytorch_optimizer")  # the first that has the class
_SETTINGS = ("_target_", "_partial_", "name")
_PLAIN = (bool, int, float, str)


def is_named(optimizer: Mapping[Any, Any]) -> bool:
    """Whether a composed node is that of `optimizer=any`, whose class follows from `name`."""
    return "_target_" in optimizer and optimizer["_target_"] is None


def complete(optimizer: dict[str, Any]) -> dict[str, Any]:
    """The node of the class that `name` says, with its defaults and the given options.

    Switches that are off by default stand in the node only if they are on: one that a later version of the package adds
    renames no run.

    Raises:
        BadInput: there is no such class, or it takes no such option or no value of this kind.
    """
    path, target = _find(optimizer.get("name"))
    defaults = _defaults(target)
    options = {key: value for key, value in optimizer.items() if key not in _SETTINGS and value is not None}
    for key, value in options.items():
        if key not in defaults:
            raise BadInput(f"optimizer.{key}: {path} takes no such option; {nearest(key, defaults)}")
        _check_kind(path, key, value, defaults[key])
    own = {key: list(v) if isinstance(v, tuple) else v for key, v in defaults.items() if _is_recorded(v)}
    given = {key: value for key, value in options.items() if value is not False or defaults[key] is not False}
    return {"name": path.rpartition(".")[2].lower(), "_target_": path, "_partial_": True, **own, **given}


def default_words(optimizer: Mapping[Any, Any]) -> list[str]:
    """The overrides that set what `complete` takes from the class; an option that the class lacks stays null.

    Args:
        optimizer: the composed node of `optimizer=any`.
    """
    return [
        f"{'' if key in optimizer else '+'}optimizer.{key}={value_text(value)}"
        for key, value in complete(dict(optimizer)).items()
        if key not in _SETTINGS and optimizer.get(key) is None
    ]


def _find(name: Any) -> tuple[str, type]:
    """The class of this name, in its own case or another one, and its path."""
    if not isinstance(name, str) or not name:
        raise BadInput(
            f"optimizer.name={'null' if name is None else name}: optimizer=any needs the name of a class, "
            "such as optimizer.name=AdEMAMix"
        )
    wanted, package = name, next((p for p in PACKAGES if name.startswith(f"{p}.")), None)
    if package is not None:
        wanted = name.removeprefix(f"{package}.")
    found: dict[str, tuple[str, type]] = {}
    missing = None
    for one in (package,) if package is not None else PACKAGES:
        try:
            classes = classes_of(one)
        except ModuleNotFoundError as error:
            if error.name != one:
                raise
            missing = one
            continue
        found = {key: (f"{one}.{key}", value) for key, value in classes.items()} | found
    alike = [key for key in found if squeezed(key) == squeezed(wanted)]
    if wanted not in found and len(alike) == 1:
        wanted = alike[0]
    if wanted not in found:
        near = get_close_matches(wanted, found, n=MOST_LISTED, cutoff=0.5)
        lacks = f"; {missing}, which has more, isn't installed: {install('optimizers')}" if missing else ""
        meant = f"; {nearest(wanted, near)}" if near else ""
        raise BadInput(f"optimizer.name={name}: no optimizer class has this name{meant}{lacks}")
    return found[wanted]


def classes_of(package: str) -> dict[str, type]:
    """The package's optimizer classes by name."""
    from torch.optim import Optimizer

    return {
        name: value
        for name, value in vars(import_module(package)).items()
        if inspect.isclass(value) and issubclass(value, Optimizer) and value is not Optimizer
        if not inspect.isabstract(value)
    }


@cache
def names_of_modules() -> frozenset[str]:
    """Names of the packages' modules, without case and separators, which most classes share; nothing is imported."""
    found = set()
    for package in PACKAGES:
        root, *inside = package.split(".")
        spec = find_spec(root)
        for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
            files = Path(folder, *inside).rglob("[a-z]*.py")
            found |= {squeezed(file.stem) for file in files}
    return frozenset(found - {"optimizer"})


def _defaults(target: type) -> dict[str, Any]:
    """The options that a class names, without `params`; for one that it needs `inspect.Parameter.empty`."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    options = [p for p in inspect.signature(target).parameters.values() if p.kind in named]
    return {p.name: p.default for p in options if p.name != "params"}


def _is_recorded(default: Any) -> bool:
    if isinstance(default, (tuple, list)):
        return all(type(item) in _PLAIN for item in default)
    return type(default) in _PLAIN and default is not False


def _check_kind(path: str, key: str, value: Any, default: Any) -> None:
    """Check a value against the kind of the class's default."""
    if isinstance(default, bool):
        fits, words = isinstance(value, bool), "true or false"
    elif is_plain_number(default):
        fits, words = is_plain_number(value), "a number"
    elif isinstance(default, tuple):
        fits, words = isinstance(value, list), "a list"
    else:
        return
    if not fits:
        shown = str(list(default) if isinstance(default, tuple) else default).lower()
        raise BadInput(f"optimizer.{key}={value}: must be {words}; the default of {path} is {shown}")
