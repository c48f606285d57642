"""`hydra/launcher=packed`: several runs advanced in turn in one process for each GPU.

Hydra imports every module of `hydra_plugins` in every program that uses it, so this one imports nothing heavy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn


@dataclass
class PackedLauncherConf:
    """The one value that stands outside of conf/: a plugin's must be found without it."""

    _target_: str = "hydra_plugins.sweeper_packed_launcher.PackedLauncher"
    lanes: Any = "auto"  # runs at a time on a GPU: a number from 1, or auto for a short trial with the runs themselves


ConfigStore.instance().store(group="hydra/launcher", name="packed", node=PackedLauncherConf, provider="sweeper")


class PackedLauncher(BasicLauncher):
    """Packs tasks that have an attribute `in_steps`, a function that gives the task as a generator of steps; any
    other task it runs as Hydra's basic launcher does, one after the other."""

    def __init__(self, lanes: int | str) -> None:
        super().__init__()
        self.lanes = lanes

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        if not hasattr(self.task_function, "in_steps"):
            return super().launch(job_overrides, initial_job_idx)
        from sweeper.train.launchers.packed import launch

        return launch(self, job_overrides, initial_job_idx)
