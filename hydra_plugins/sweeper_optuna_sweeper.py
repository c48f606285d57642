"""`hydra/sweeper=optuna`: a search by Optuna in batches of trials, which any launcher trains.

It replaces hydra-optuna-sweeper 1.2.0, which requires optuna >= 2.10, < 3. Hydra imports every module of
`hydra_plugins` in every program that uses Hydra, so this module imports nothing slow.
"""

from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.types import HydraContext, TaskFunction
from omegaconf import MISSING, DictConfig


@dataclass
class OptunaSweeperConf:
    """The types of the search's options; conf/ has their values and explains them."""

    _target_: str = MISSING
    params: dict[str, str] | None = MISSING
    trials: int = MISSING
    trials_at_once: int | None = MISSING
    startup_trials: int = MISSING
    prune: bool = MISSING
    warmup_epochs: int = MISSING
    sampler: str = MISSING
    seed: int = MISSING
    prune_below: list[float | None] | None = MISSING


ConfigStore.instance().store(group="hydra/sweeper", name="optuna_schema", node=OptunaSweeperConf, provider="sweeper")


class OptunaSweeper(BasicSweeper):
    """Carries out the search that `sweeper.train` attaches to its task; a grid if there is none."""

    def __init__(self, params: dict[str, str] | None, **options: Any) -> None:
        super().__init__(None, params)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._search = getattr(task_function, "search", None)
        if self._search is not None:
            from sweeper.config.composed_once import composing_once

            hydra_context = composing_once(hydra_context)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        if self._search is None:
            given = {argument.partition("=")[0] for argument in arguments}
            self.params = {key: value for key, value in self.params.items() if key not in given}
            return super().sweep(arguments)
        from sweeper.train.hydra_hooks import begin_sweep

        assert self.config is not None and self.launcher is not None
        begin_sweep(self.config)
        return self._search(self.launcher.launch)
