"""`hydra/launcher=packed`: trains several runs in turn, in one process for each GPU.

Hydra imports every module of `hydra_plugins` in every program that uses Hydra, so this module imports nothing slow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn


@dataclass
class PackedLauncherConf:
    """The launcher's options. The defaults are here and not in conf/, since Hydra finds a plugin without conf/."""

    _target_: str = "hydra_plugins.sweeper_packed_launcher.PackedLauncher"
    lanes: Any = "auto"  # runs at a time on a GPU: a number from 1, or auto to find it by a short trial


ConfigStore.instance().store(group="hydra/launcher", name="packed", node=PackedLauncherConf, provider="sweeper")


class PackedLauncher(BasicLauncher):
    """Trains several runs in turn if the task has a method `in_steps`, which returns a run as a generator of steps. Any
    other task runs as by Hydra's basic launcher, one run after the other."""

    def __init__(self, lanes: int | str) -> None:
        super().__init__()
        self.lanes = lanes

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        if not hasattr(self.task_function, "in_steps"):
            return super().launch(job_overrides, initial_job_idx)
        from sweeper.train.launchers.packed import launch

        return launch(self, job_overrides, initial_job_idx)
