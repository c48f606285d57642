"""`hydra/sweeper=optuna`: trials asked of Optuna in batches, each carried out by whatever launcher is chosen.

Of our own since the published hydra-optuna-sweeper 1.2.0 requires optuna >= 2.10, < 3. Hydra imports every module of
`hydra_plugins` in every program that uses it, so this one imports nothing heavy.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import MISSING, DictConfig, OmegaConf


@dataclass
class OptunaSweeperConf:
    """conf/ says each one's meaning and value."""

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


class OptunaSweeper(Sweeper):
    """Carries out the search that `sweeper.train` has read and checked."""

    def __init__(self, **options: Any) -> None:
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from sweeper.search import carry_on

        assert self.config is not None and self.launcher is not None
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        return carry_on(self.launcher.launch)
