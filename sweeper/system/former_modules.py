"""Modules by the names that earlier versions documented, so that users' code that imports them keeps working."""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

FORMER_MODULES = {
    "sweeper.data": "sweeper.datasets.raw",
    "sweeper.folder": "sweeper.datasets.image_folder",
    "sweeper.zoo": "sweeper.models.zoo",
    "sweeper.errors": "sweeper.system.errors",
    "sweeper.tracking": "sweeper.train.trackers.tracking",
    "sweeper.trackers": "sweeper.train.trackers",
    "sweeper.statistics": "sweeper.aggregate.statistics",
    "sweeper.comparisons": "sweeper.aggregate.comparisons",
}


class _FormerModules(MetaPathFinder, Loader):
    """Asked last, for what no other finder knows: a former name gives the module of today itself, not a copy."""

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in FORMER_MODULES else None

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(FORMER_MODULES[module.__name__])


def install() -> None:
    """Make the former names importable in this process."""
    if not any(isinstance(finder, _FormerModules) for finder in sys.meta_path):
        sys.meta_path.append(_FormerModules())
