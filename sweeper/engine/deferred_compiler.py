"""Puts off the import of torch's compiler until something is compiled.

Torch's optimizers, and its operators on the device `meta`, import it at their first use only to tell it to leave them
alone. That takes as long as the import of torch itself.
"""

import importlib.util
import sys
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"


def defer_compiler() -> None:
    """Let a stand-in answer torch's own calls; any other use of the compiler imports it and puts it in its place."""
    import torch

    if COMPILER not in sys.modules:
        stand_in = _Deferred(COMPILER)
        stand_in.__spec__ = importlib.util.find_spec(COMPILER)  # for who only asks whether there is a compiler
        torch._dynamo = sys.modules[COMPILER] = stand_in


class _Deferred(ModuleType):
    def disable(self, function: Any, *arguments: Any, **options: Any) -> Any:
        """The function itself, where torch asks for its own; see `torch._compile`."""
        if sys._getframe(1).f_globals["__name__"] == "torch._compile":
            return function
        return _compiler().disable(function, *arguments, **options)

    def graph_break(self, *arguments: Any, **options: Any) -> None:
        """Has no effect, since nothing is being compiled."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # of a module that is merely looked at
            raise AttributeError(name)
        return getattr(_compiler(), name)


def _compiler() -> Any:
    import torch

    if isinstance(sys.modules[COMPILER], _Deferred):
        del sys.modules[COMPILER], torch._dynamo
        importlib.import_module(COMPILER)
    return sys.modules[COMPILER]
