"""Expands a command line into the list of its runs and validates each one before anything starts.

Hydra composes only four configurations a second. Each combination of groups is therefore composed once, and the plain
values of its runs are set in copies by Hydra's own function.
"""

import argparse
import copy
import itertools
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

import sweeper.config.resolvers  # noqa: F401  conf/ needs them
from sweeper.config.axes import check_axes, check_dimension, check_hydras
from sweeper.config.command_line import read_command_line
from sweeper.config.overrides import (
    MOST_RUNS,
    Groups,
    check_choice,
    check_option,
    check_repeated,
    check_resolved,
    check_times,
    is_plain,
    list_groups,
    parse_overrides,
    sweep_values,
)
from sweeper.config.resolved import Cell, resolve_config
from sweeper.config.schema import check_config
from sweeper.config.search_space import (
    FACTORS,
    Dimension,
    Search,
    check_base,
    check_search,
    check_space,
    is_search,
    read_dimension,
)
from sweeper.config.yaml_errors import explain
from sweeper.runs.identity import run_name
from sweeper.system.errors import BadInput
from sweeper.system.files import CONF

# Our YAML has the same name as the package's schema; Hydra warns that its next version won't match them automatically.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/ray' is validated against ConfigStore schema")


@dataclass(frozen=True)
class Grid:
    """What a command line asks for. `sweep` is true for a multirun, even of one cell. Of a search `cells` are the
    corners of its space."""

    cells: list[Cell]
    sweep: bool
    outputs: Path
    launcher: str  # the choice of hydra/launcher
    launcher_options: dict[str, Any]
    search: Search | None = None


def compose_grid(argv: list[str], command: str = "train") -> Grid:
    """Expand and validate a command line in the form that `sweeper.train` takes.

    Args:
        command: the command that got it, for error messages.

    Raises:
        BadInput: something in it is invalid. Nothing has been started or written.
    """
    return expand(read_command_line(argv, command))


def expand(arguments: argparse.Namespace) -> Grid:
    """Expand and validate the result of `read_command_line`; errors as of `compose_grid`."""
    overrides = list(arguments.overrides)
    if (name := arguments.config_name) and not (CONF / f"{name.removesuffix('.yaml')}.yaml").is_file():
        raise BadInput(f"--config-name {name}: conf/ has no such file; leave it out, presets are experiment=NAME")
    if arguments.config_dir:
        if not Path(arguments.config_dir).is_dir():
            file = "is a file; name the folder that holds optimizer/, model/ or other groups"
            what = file if Path(arguments.config_dir).is_file() else "there is no such folder"
            raise BadInput(f"--config-dir {arguments.config_dir}: {what}")
        overrides.append(f"hydra.searchpath=['file://{Path(arguments.config_dir).resolve()}']")
    with _hydra():
        return _Expansion(arguments.config_name or "config", overrides).grid(arguments.multirun)


@contextmanager
def _hydra() -> Iterator[None]:
    """Initialize Hydra's compose API on our conf/; on exit Hydra's global state is cleared."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="train"):
        yield


class _Expansion:
    """Expands one command line into cells; caches the composed configurations."""

    def __init__(self, config_name: str, overrides: list[str]) -> None:
        self.config_name = config_name
        self.asked = parse_overrides(overrides)
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        self.groups: Groups = dict(list_groups(_loader_with(hydra.config_loader, overrides)))

    def grid(self, multirun: bool) -> Grid:
        for override in self.asked:
            check_choice(override, self.groups)
        check_repeated(self.asked)
        structure = [
            override.input_line or ""
            for override in self.asked
            if not override.is_sweep_override() and not is_plain(override, self.groups)
        ]
        hydra = self._compose(structure).hydra
        if hydra.job.chdir:  # of a preset; one that is typed is refused by its words
            raise BadInput("hydra.job.chdir=true: where runs lie follows from their names; take it out of the preset")
        multirun = multirun or (hydra.mode is not None and hydra.mode.name == "MULTIRUN")
        params = [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
        search = check_search(hydra.sweeper) if multirun and is_search(hydra.sweeper) else None
        dimensions: dict[str, Dimension] = {}
        axes: dict[str, list[str]] = {}  # as Hydra's own sweeper expands them: a later override of a key wins
        for override in [*(parse_overrides(params) if multirun else ()), *self.asked]:
            key = override.get_key_element()
            axes[key] = [override.input_line or ""]
            dimensions.pop(key, None)
            if override.is_sweep_override():
                if not multirun:
                    raise BadInput(f"{override.input_line}: several values are a sweep; add -m")
                if search is not None and key != "optimizer":
                    dimensions[key] = read_dimension(override, self.groups)
                    continue
                axes[key] = [f"{key}={value}" for value in sweep_values(override, self.groups)]
        choice = hydra.runtime.choices["hydra/launcher"]
        # A single run with all values given, such as a trial's recorded command line, is that run and not a search.
        if search is not None and (dimensions or len(axes.get("optimizer", [])) > 1):
            asked = self._search(axes, dimensions, search)
            outputs = Path(asked.corners[0].config["outputs"])
            return Grid(asked.corners, True, outputs, choice, self._launcher_options(axes), asked)
        if (runs := math.prod(map(len, axes.values()))) > MOST_RUNS:
            raise BadInput(f"a sweep of {runs:,} runs: at most {MOST_RUNS:,} are taken at once")
        check_hydras(axes)
        all_cells = []
        for number, combination in enumerate(itertools.product(*axes.values())):
            config = self._config(list(combination))
            all_cells.append(Cell(config, Path(config["outputs"]) / run_name(config), number))
        check_axes(axes, all_cells)
        cells: dict[Path, Cell] = {}  # by directory: a duplicate cell is one run
        for cell in all_cells:
            cells.setdefault(cell.directory, cell)
        return Grid(list(cells.values()), multirun, Path(config["outputs"]), choice, self._launcher_options(axes))

    def _search(self, axes: dict[str, list[str]], dimensions: dict[str, Dimension], options: dict[str, Any]) -> Search:
        """A search over `dimensions` for each optimizer. All other keys of `axes` have one value for all trials."""
        check_space(dimensions)
        optimizers = {text.partition("=")[2].strip("'"): text for text in axes.pop("optimizer", [])}
        if not optimizers:
            default = str(self._compose([]).hydra.runtime.choices["optimizer"])
            optimizers = {default: f"optimizer={default}"}
        fixed = [texts[0] for key, texts in axes.items() if key not in dimensions]

        def trial(optimizer: str, values: Mapping[str, str]) -> tuple[Cell, list[str]]:
            overrides = [*fixed, optimizers[optimizer], *(f"{key}={value}" for key, value in values.items())]
            config = self._config(overrides)
            hydras = ("hydra.", "hydra/")  # Hydra itself passes these to every run
            return (
                Cell(config, Path(config["outputs"]) / run_name(config), 0),
                [text for text in overrides if not text.lstrip("+~").startswith(hydras)],
            )

        search = Search(tuple(dimensions[name] for name in sorted(dimensions)), options, {}, {}, [], trial)
        bases = {optimizer: trial(optimizer, {})[0] for optimizer in optimizers}
        check_base(next(iter(bases.values())))
        usual = {optimizer: self._usual([*fixed, text], search.dimensions) for optimizer, text in optimizers.items()}
        ends = [{d.name: d.ends()[end] for d in search.dimensions} for end in (0, 1)]
        corners = [trial(optimizer, values)[0] for optimizer in optimizers for values in ends]
        for d in search.dimensions:
            high = ends[0] | {d.name: ends[1][d.name]}
            both = [(trial(optimizer, ends[0])[0], trial(optimizer, high)[0]) for optimizer in optimizers]
            check_dimension(d.name, d.text, both)
        return replace(search, bases=bases, usual=usual, corners=corners)

    def _usual(self, overrides: list[str], dimensions: tuple[Dimension, ...]) -> dict[str, str]:
        """An optimizer's values without a search, by dimension; empty if any lies outside its dimension."""
        ones = {factor: 1.0 for factor in FACTORS}  # or a fixed factor would be applied twice
        config = OmegaConf.create(self._config([*overrides, *(f"{name}={one}" for name, one in ones.items())]) | ones)
        values = {d.name: d.usual(OmegaConf.select(config, d.name)) for d in dimensions}
        return {name: text for name, text in values.items() if text is not None} if None not in values.values() else {}

    def _config(self, overrides: list[str]) -> dict[str, Any]:
        """One cell's resolved and checked configuration."""
        plain, cfg = self._apart(parse_overrides(overrides))
        with open_dict(cfg):
            hydra = cfg.pop("hydra")
        for override in plain:
            check_option(override, cfg, self.groups)
        before = copy.deepcopy(cfg) if "${" in str(plain) else cfg
        try:
            ConfigLoaderImpl._apply_overrides_to_config(plain, cfg)
            config = resolve_config(cfg, hydra.runtime.choices)
        except (HydraException, OmegaConfBaseException) as error:
            raise explain(error, overrides, CONF) from error
        for override in plain:
            check_resolved(override, before, config)
        check_config(config)
        return config

    def _apart(self, overrides: list[Override]) -> tuple[list[Override], DictConfig]:
        """The plain ones, and a copy of what the others compose."""
        plain = [override for override in overrides if is_plain(override, self.groups)]
        others = [override.input_line or "" for override in overrides if not is_plain(override, self.groups)]
        return plain, copy.deepcopy(self._compose(others))

    def _launcher_options(self, axes: dict[str, list[str]]) -> dict[str, Any]:
        """As Hydra hands them to the launcher: by all overrides but the swept ones. A value that is made of a run's
        stays as it is written."""
        single = parse_overrides([texts[0] for texts in axes.values() if len(texts) == 1])
        plain, cfg = self._apart([override for override in single if not override.is_sweep_override()])
        ConfigLoaderImpl._apply_overrides_to_config(plain, cfg)
        launcher = cfg.hydra.launcher
        options: dict[str, Any] = {}
        for key in launcher:
            try:
                options[str(key)] = launcher[key]
            except OmegaConfBaseException:
                options[str(key)] = OmegaConf.to_container(launcher, resolve=False)[key]  # type: ignore[index]
        return options

    def _compose(self, overrides: list[str]) -> DictConfig:
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


def _loader_with(loader: Any, overrides: list[str]) -> Any:
    """Hydra's configuration loader, with the folders that the command line adds."""
    search_path = copy.deepcopy(loader.get_search_path())
    for override in parse_overrides([o for o in overrides if o.startswith("hydra.searchpath=")]):
        paths = override.value()
        for path in paths if isinstance(paths, list) else []:
            search_path.append("command line", str(path).strip("'\""))
    return ConfigLoaderImpl(search_path)
