"""Hydra's configuration loader for the runs of a sweep: it composes each combination of files once a process.

Hydra composes only four configurations a second, and its launchers compose each run's before it trains. The runs of a
sweep mostly differ in plain values, such as the seed, which are set in a copy by Hydra's own function.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from sweeper.config.hydra_versions import set_override_dirname

_composed: dict[tuple[str | None, tuple[str, ...]], DictConfig] = {}  # by what decides which files are composed
MOST = 500  # kept at a time: a sweep's seeds may be its outermost axis


def words_of_run(words: Sequence[str]) -> list[str]:
    """The words of a sweep's run in the order in which its launcher's loader has them, Hydra's own first."""
    hydras = [word for word in words if word.startswith("hydra")]
    own = [word for word in hydras if not word.startswith("hydra/sweeper=")]
    return [*own, "hydra/sweeper=listed", "hydra.mode=MULTIRUN", *(word for word in words if word not in hydras)]


def keep_composed(config_name: str, words: Sequence[str], config: DictConfig) -> None:
    """Keep what these words of a run compose for the launcher, which composes them otherwise; not to be changed."""
    if len(_composed) >= MOST:
        _composed.clear()
    _composed[config_name, tuple(words)] = config


def composing_once(context: HydraContext) -> HydraContext:
    """Hydra's context with this loader in the place of its own."""
    return replace(context, config_loader=ComposedOnce(context.config_loader.get_search_path()))


class ComposedOnce(ConfigLoaderImpl):
    """Gives the same configurations as Hydra's loader."""

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """A run's configuration.

        Args:
            master_config: the sweep's.
            sweep_overrides: the run's.
        """
        parsed = OverridesParser.create().parse_overrides(sweep_overrides)
        plain = [override for override in parsed if _is_plain(override, master_config)]
        others = [override.input_line or "" for override in parsed if override not in plain]
        key = (master_config.hydra.job.config_name, (*master_config.hydra.overrides.hydra, *others))
        if key not in _composed:
            keep_composed(*key, self._compose(master_config, others))
        config = copy.deepcopy(_composed[key])
        self._apply_overrides_to_config(plain, config)
        of_the_run = [override for override in parsed if not override.is_hydra_override()]
        config.hydra.overrides.task = [override.input_line for override in of_the_run]
        set_override_dirname(config, of_the_run)
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    def _compose(self, master_config: DictConfig, overrides: list[str]) -> DictConfig:
        """As by 1.3's loader. That of 1.4 refuses a run that sets an option of Hydra's sweeper, as presets whose sweeps
        are joined do by naming their axes, and the trials of a search by the bars below which they end."""
        whole = [*master_config.hydra.overrides.hydra, *overrides]
        return self.load_configuration(master_config.hydra.job.config_name, whole, RunMode.RUN)


def _is_plain(override: Override, config: DictConfig) -> bool:
    """Whether an override sets one value, and thus doesn't change which files are composed."""
    key = override.key_or_group
    if override.package is not None or override.is_add() or override.is_delete() or override.is_sweep_override():
        return False
    if key.startswith(("hydra.", "hydra/")) or "/" in key:
        return False
    return "." in key or (key in config and not OmegaConf.is_config(config._get_node(key)))
