"""Composes the configurations of a command line's runs.

Hydra composes only four configurations a second. Each combination of groups is therefore composed once, and the plain
values of its runs are set in copies by Hydra's own function.
"""

import copy
import pickle
from collections.abc import Mapping
from typing import Any, NamedTuple

from hydra import compose
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from sweeper.config.composed_once import keep_composed, words_of_run
from sweeper.config.options import check_option, check_resolved, check_times
from sweeper.config.overrides import FREE_NODES, Groups, is_plain, parse_overrides
from sweeper.config.resolved import resolve_config
from sweeper.config.schema import check_config
from sweeper.config.yaml_errors import explain
from sweeper.runs.identity import flat
from sweeper.system.files import CONF


class _Base(NamedTuple):
    """A composed configuration without Hydra's own part."""

    pickled: bytes  # the configuration: unpickling it is five times as fast as a deep copy
    choices: dict[str, str]  # by group
    known: dict[str, Any]  # its values by dotted name, unresolved


class Composer:
    """Composes a run's configuration from its overrides, while Hydra's compose API is initialized.

    Args:
        config_name: the primary file in conf/.
        groups: the choices of every group.

    Attributes:
        listed: whether the runs are those of a sweep, for whose launcher their configurations are kept.
        typed: for a run's override that has one value of a sweep's, the override as it was typed, for error messages.
    """

    def __init__(self, config_name: str, groups: Groups) -> None:
        self.config_name, self.groups = config_name, groups
        self.listed = False
        self.typed: Mapping[str, str] = {}
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._bases: dict[tuple[str, ...], _Base] = {}

    def config(self, overrides: list[str]) -> dict[str, Any]:
        """A run's resolved and checked configuration.

        Raises:
            BadInput: something in it is invalid.
        """
        plain, others = self._apart(parse_overrides(overrides))
        base = self._base(others)
        for override in plain:
            text = override.input_line or ""
            check_option(override, base.known, self.groups, self.typed.get(text, text))
        cfg = pickle.loads(base.pickled)
        try:
            ConfigLoaderImpl._apply_overrides_to_config(plain, cfg)
            config = resolve_config(cfg, base.choices)
        except (HydraException, OmegaConfBaseException) as error:
            raise explain(error, overrides, CONF, self.typed) from error
        for override in plain:
            check_resolved(override, base.known, config)
        check_config(config)
        return config

    def launcher_options(self, axes: dict[str, list[str]]) -> dict[str, Any]:
        """As Hydra hands them to the launcher: by all overrides but the swept ones. A value that is made of a run's
        stays as it is written."""
        single = parse_overrides([texts[0] for texts in axes.values() if len(texts) == 1])
        plain, others = self._apart([override for override in single if not override.is_sweep_override()])
        cfg = copy.deepcopy(self.compose(others))
        # Of a swept group an option may be missing here, in the default choice.
        of_class = [o for o in plain if o.key_or_group.partition(".")[0] in FREE_NODES]
        ConfigLoaderImpl._apply_overrides_to_config([o for o in plain if o not in of_class], cfg)
        launcher = cfg.hydra.launcher
        options: dict[str, Any] = {}
        for key in launcher:
            try:
                options[str(key)] = launcher[key]
            except OmegaConfBaseException:
                options[str(key)] = OmegaConf.to_container(launcher, resolve=False)[key]  # type: ignore[index]
        return options

    def compose(self, overrides: list[str]) -> DictConfig:
        """What Hydra composes of these, its own part included; not to be changed.

        Raises:
            BadInput: they or a YAML are invalid.
        """
        key = tuple(overrides)
        if key not in self._composed:
            try:
                cfg = compose(self.config_name, overrides=overrides, return_hydra_config=True)
            except Exception as error:  # reading a user's YAML may raise anything
                if isinstance(error, OSError) and error.filename:
                    raise  # the error names the file
                raise explain(error, overrides, CONF) from error
            check_times(cfg)
            self._composed[key] = cfg
        return self._composed[key]

    def _apart(self, overrides: list[Override]) -> tuple[list[Override], list[str]]:
        """The plain ones, and those that decide which files are composed."""
        plain = [override for override in overrides if is_plain(override, self.groups)]
        return plain, [override.input_line or "" for override in overrides if not is_plain(override, self.groups)]

    def _base(self, overrides: list[str]) -> _Base:
        """What these compose, to be copied and never changed."""
        key = tuple(overrides)
        if key not in self._bases:
            words = words_of_run(overrides) if self.listed else overrides
            cfg = copy.deepcopy(self.compose(words))
            if self.listed:
                keep_composed(self.config_name, words, self.compose(words))
            with open_dict(cfg):
                hydra = cfg.pop("hydra")
            known = dict(flat(OmegaConf.to_container(cfg, resolve=False)))
            self._bases[key] = _Base(pickle.dumps(cfg), dict(hydra.runtime.choices), known)
        return self._bases[key]
