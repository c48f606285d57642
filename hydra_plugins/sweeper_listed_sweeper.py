"""`hydra/sweeper=listed`: launches the runs that `sweeper.train` has listed, instead of expanding the command line.

The command line has been expanded and checked by `sweeper.config.grid`, arms and presets joined. So nothing is composed
here: Hydra's own sweeper would compose every run, four a second, before the first one starts. Hydra imports every
module of `hydra_plugins` in every program that uses Hydra, so this module imports nothing slow.
"""

from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class ListedSweeperConf:
    """Hydra's own sweeper's options, and how often the grid of a tuning is extended at most."""

    _target_: str = "hydra_plugins.sweeper_listed_sweeper.ListedSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = None
    extensions: int = 0


ConfigStore.instance().store(group="hydra/sweeper", name="listed", node=ListedSweeperConf, provider="sweeper")


class ListedSweeper(BasicSweeper):
    """Launches `jobs` of the task, the overrides of each run; any other task is swept as by Hydra's own sweeper."""

    def __init__(self, max_batch_size: int | None, params: dict[str, str] | None = None, extensions: int = 0) -> None:
        super().__init__(max_batch_size, params)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._jobs: list[list[str]] | None = getattr(task_function, "jobs", None)
        if self._jobs is not None:
            from sweeper.config.composed_once import composing_once

            hydra_context = composing_once(hydra_context)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        if self._jobs is None:
            return super().sweep(arguments)
        from sweeper.train.hydra_hooks import begin_sweep, result_of

        assert self.config is not None and self.launcher is not None
        begin_sweep(self.config)
        returns, size = [], self.max_batch_size or len(self._jobs)
        for first in range(0, len(self._jobs), size):
            returns.append(self.launcher.launch(self._jobs[first : first + size], initial_job_idx=first))
            for job in returns[-1]:
                result_of(job)  # raises if the run failed outside of what it reports itself
        return returns
