"""What differs between Hydra 1.3 and 1.4: one owner, so that the rest doesn't ask which one is installed."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import hydra.utils
import hydra.version
from hydra import initialize_config_dir
from hydra.plugins.config_source import ConfigSource
from omegaconf import DictConfig, OmegaConf

# What Hydra itself may build from a configuration: our callback and what writes the logs. It finds launchers and
# sweepers as plugins. Optimizers and models are built by `sweeper.engine.build`, trackers by `sweeper.train.trackers`.
MAY_BE_BUILT = [
    "sweeper.train.hydra_hooks.ForgetConfigurations",
    "sweeper.train.hydra_hooks.RunLog",
    "sweeper.system.terminal.PrintableLines",
    "logging.StreamHandler",
    "ext://sys.stderr",
]
WHITELIST: Any = getattr(hydra.utils, "execution_whitelist", None)  # from 1.4 on


@contextlib.contextmanager
def only_ours() -> Iterator[None]:
    """Within it Hydra builds nothing but `MAY_BE_BUILT`, whatever a user's YAML names; 1.3 has no such check.

    And it ignores a file `.yml` as 1.3 does: 1.4 fails on listing a folder that has one.
    """
    if WHITELIST is None:
        yield
        return
    source: Any = ConfigSource
    usual = vars(source)["_normalize_file_name"]
    source._normalize_file_name = staticmethod(lambda name: name if name.endswith(".yaml") else f"{name}.yaml")
    try:
        with WHITELIST(MAY_BE_BUILT):
            yield
    finally:
        source._normalize_file_name = usual


def behave_as_usual() -> None:
    """The behaviour of 1.3, which 1.4 has by itself."""
    if WHITELIST is None:
        hydra.version.setbase("1.3")


@contextlib.contextmanager
def mode_by_flag() -> Iterator[None]:
    """Within it 1.3 trains one run, or with `--multirun` a sweep, and adds that mode to the words.

    It would else compose a configuration only to look for a mode in it, and leave the words as they are where a preset
    has one; then the sweep's runs would be composed again, see `sweeper.config.composed_once`.
    """
    if WHITELIST is not None:
        yield
        return
    from hydra._internal.hydra import Hydra

    hydra: Any = Hydra
    usual = hydra.get_mode
    hydra.get_mode = lambda self, config_name, overrides: None
    try:
        yield
    finally:
        hydra.get_mode = usual


def compose_from(folder: str) -> AbstractContextManager[Any]:
    """Hydra's compose API on a folder of configuration files."""
    base: dict[str, Any] = {} if WHITELIST is not None else {"version_base": "1.3"}
    return initialize_config_dir(folder, job_name="train", **base)


def set_override_dirname(config: DictConfig, overrides: list[Any]) -> None:
    """Set `hydra.job.override_dirname` for a run's overrides; from 1.4 on it is found when it is asked for."""
    with contextlib.suppress(ImportError):
        from hydra._internal.config_loader_impl import get_overrides_dirname

        form = config.hydra.job.config.override_dirname
        config.hydra.job.override_dirname = get_overrides_dirname(
            overrides=overrides, kv_sep=form.kv_sep, item_sep=form.item_sep, exclude_keys=form.exclude_keys
        )


def register_resolver(name: str, function: Callable[..., Any]) -> None:
    """Register a resolver of OmegaConf's; 2.4 has another name for it, by which 2.3 knows an older function."""
    known: Any = OmegaConf
    (known.register_new_resolver if WHITELIST is None else known.register_resolver)(name, function, replace=True)
