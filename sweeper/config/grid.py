"""Expands a command line into the list of its runs and validates each one before anything starts."""

import argparse
import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

import sweeper.config.resolvers  # noqa: F401  conf/ needs them
from sweeper.config.arms import NO_ARM, Arm, Part, in_order, naming, read_arms, take_files, without_hydras
from sweeper.config.axes import check_axes, check_dimension, check_folder, check_hydras
from sweeper.config.command_line import read_command_line
from sweeper.config.compared import check_said, comparisons
from sweeper.config.composer import Composer
from sweeper.config.factors import FACTORS
from sweeper.config.overrides import (
    MOST_RUNS,
    Groups,
    check_choices,
    is_plain,
    list_groups,
    parse_overrides,
    sweep_values,
)
from sweeper.config.resolved import Cell
from sweeper.config.search_path import added_folders, hydra_at_work, loader_with, search_in
from sweeper.config.search_space import (
    Dimension,
    Search,
    check_base,
    check_search,
    check_space,
    is_search,
    read_dimension,
)
from sweeper.config.widening import DECAY, Widening, find_widening, read_extensions, without_replaced
from sweeper.runs.identity import run_name
from sweeper.system.errors import BadInput
from sweeper.system.files import CONF

# Our YAML has the same name as the package's schema; Hydra warns that its next version won't match them automatically.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/ray' is validated against ConfigStore schema")

MOST_CHECKED = 100  # of the values of an option, where only -m is missing


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
    jobs: list[list[str]] = field(default_factory=list)  # the overrides of each cell, by its number; of a search none
    arms: dict[str, list[Path]] = field(default_factory=dict)  # the directories of each arm's runs, by its name
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)  # each arm's own overrides
    comparisons: list[dict[str, list[Path]]] = field(default_factory=list)  # the same where other axes don't differ
    widening: Widening | None = None


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
        overrides.append(search_in(arguments.config_dir))
    files, overrides = take_files(overrides)
    with hydra_at_work():
        expansion = _Expansion(arguments.config_name or "config", overrides)
        return expansion.grid(arguments.multirun, read_arms(arguments.arm, files, expansion.folders))


class _Expansion:
    """Expands one command line into cells."""

    def __init__(self, config_name: str, overrides: list[str]) -> None:
        self.asked = parse_overrides(overrides)
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        loader = loader_with(hydra.config_loader, overrides)
        self.groups: Groups = dict(list_groups(loader))
        self._composer = Composer(config_name, self.groups)
        self.folders = [CONF, *added_folders(overrides)]

    def grid(self, multirun: bool, arms: Sequence[Arm] = ()) -> Grid:
        """The runs of the command line.

        Args:
            arms: each is crossed with the other axes.
        """
        check_choices(self.asked, self.groups)
        for arm in arms:
            with naming(arm):
                check_choices(parse_overrides([*arm.overrides]), self.groups)
        parts = self._parts(arms, multirun)
        first, choice = parts[0], parts[0].launcher
        if searches := [part.title for part in parts if part.stands_alone and (len(parts) > 1 or arms)]:
            grid = "a grid of every arm is experiment=tune hydra.sweeper.extensions=0" if arms else "give it alone"
            raise BadInput(f"{searches[0]}: a search is joined with nothing else; {grid}")
        # A single run with all values given, such as a trial's recorded command line, is that run and not a search.
        if first.search is not None and (first.dimensions or len(first.texts.get("optimizer", [])) > 1):
            asked = self._search(dict(first.texts), first.dimensions, first.search)
            outputs, options = Path(asked.corners[0].config["outputs"]), self._composer.launcher_options(first.texts)
            return Grid(asked.corners, True, outputs, choice, options, asked)
        if (runs := sum(part.runs() for part in parts)) > MOST_RUNS:
            raise BadInput(f"a sweep of {runs:,} runs: at most {MOST_RUNS:,} are taken at once")
        for part in parts:
            check_hydras(part.texts)
        self._composer.listed = first.sweep
        cells: dict[Path, Cell] = {}  # by directory: a duplicate cell is one run
        jobs: list[list[str]] = []
        named: dict[str, list[Path]] = {arm.name: [] for arm in arms if arm.name is not None}
        found: dict[int, dict[tuple[int, ...], Cell]] = {}  # by part and by the places of its values
        for number, places, combination in in_order(parts):
            self._composer.typed = parts[number].typed
            with naming(parts[number].arm):
                config = self._composer.config(combination)
            directory = Path(config["outputs"]) / run_name(config)
            if directory not in cells:
                cells[directory] = Cell(config, directory, len(jobs))
                jobs.append(without_hydras(combination))
            found.setdefault(number, {})[places] = Cell(config, directory, cells[directory].number)
            if (name := parts[number].arm.name) is not None and directory not in named[name]:
                named[name].append(directory)
        for number, part in enumerate(parts):
            own = [cell for _, cell in sorted(found[number].items(), key=lambda item: item[0])]
            check_axes(part.texts, own, DECAY if part.extensions else ())
        check_folder(list(cells.values()))
        check_said(parts, found)
        options = self._composer.launcher_options(first.texts)
        for part in parts[1:]:
            if (part.launcher, self._composer.launcher_options(part.texts)) != (choice, options):
                raise BadInput(f"{part.title}: another launcher than that of {first.title}; choose one for both")
        words = {arm.name: arm.overrides for arm in arms if arm.name is not None}
        outputs, compared = Path(config["outputs"]), comparisons(parts, found)
        return Grid(
            list(cells.values()),
            first.sweep,
            outputs,
            choice,
            options,
            jobs=jobs,
            arms=named,
            words=words,
            comparisons=compared,
            widening=find_widening(first, self._cell),
        )

    def _parts(self, arms: Sequence[Arm], multirun: bool) -> list[Part]:
        """Each arm with each preset of `experiment=a,b`, whose sweeps are joined."""
        last = {override.get_key_element(): override for override in self.asked}
        presets = [""]
        if (asked := last.get("experiment")) is not None and asked.is_sweep_override():
            del last["experiment"]
            presets = [f"experiment={value}" for value in sweep_values(asked, self.groups)]
        parts = []
        for (number, preset), arm in itertools.product(enumerate(presets), arms or [NO_ARM]):
            with naming(arm):
                own = [*([preset] if preset else []), *arm.overrides]
                parts.append(self._part(number, arm, [*last.values()], own, multirun))
        return parts

    def _part(self, number: int, arm: Arm, shared: list[Override], texts: list[str], multirun: bool) -> Part:
        """All values of each key, as Hydra's own sweeper expands them: a later override of a key wins."""
        own = parse_overrides(texts)
        hydra = self._composer.compose(self._structure([*shared, *own])).hydra
        if hydra.job.chdir:  # of a preset; one that is typed is refused by its words
            raise BadInput("hydra.job.chdir=true: where runs lie follows from their names; take it out of the preset")
        multirun = multirun or (hydra.mode is not None and hydra.mode.name == "MULTIRUN")
        if not multirun and arm.name is not None:
            raise BadInput(f"--arm {arm.name}: arms are a sweep; add -m")
        typed = {override.get_key_element() for override in [*shared, *own]}
        kept = without_replaced(hydra.sweeper.get("params") or {}, typed)
        params = [f"{key}={value}" for key, value in kept.items()]
        search = check_search(hydra.sweeper) if multirun and is_search(hydra.sweeper) else None
        axes: dict[str, list[str]] = {}
        dimensions: dict[str, Dimension] = {}
        several: list[str] = []  # the keys with several values
        self._composer.typed = whole = dict[str, str]()
        for override in [*(parse_overrides(params) if multirun else ()), *shared, *own]:
            key = override.get_key_element()
            axes[key] = [override.input_line or ""]
            dimensions.pop(key, None)
            if override.is_sweep_override():
                if search is not None and key != "optimizer":
                    dimensions[key] = read_dimension(override, self.groups)
                    values: Iterable[str] = dimensions[key].ends()
                else:
                    values = sweep_values(override, self.groups)
                    axes[key] = [f"{key}={value}" for value in values]
                whole |= {f"{key}={value}": override.input_line or "" for value in values}
                several.append(key)
        if several and not multirun:
            self._check_values(axes, [key for key in several if key not in self.groups])
            raise BadInput(f"{whole[axes[several[0]][0]]}: several values are a sweep; add -m")
        title, keys = " ".join(texts) or "this sweep", frozenset(override.get_key_element() for override in own)
        launcher, extensions = hydra.runtime.choices["hydra/launcher"], read_extensions(hydra.sweeper)
        widened = extensions * multirun
        return Part(arm, number, keys, axes, title, multirun, launcher, search, dimensions, widened, whole)

    def _check_values(self, axes: dict[str, list[str]], keys: list[str]) -> None:
        """Check the values of options that are to be a sweep: that it is one is said of values that are right."""
        first = {name: texts[0] for name, texts in axes.items()}
        for key in keys:
            for text in axes[key][:MOST_CHECKED]:
                self._composer.config([*(first | {key: text}).values()])

    def _structure(self, overrides: Iterable[Override]) -> list[str]:
        """Those that change which files are composed; the last of each key."""
        last = {override.get_key_element(): override for override in overrides}
        chosen = [one for one in last.values() if not one.is_sweep_override() and not is_plain(one, self.groups)]
        return [override.input_line or "" for override in chosen]

    def _search(self, axes: dict[str, list[str]], dimensions: dict[str, Dimension], options: dict[str, Any]) -> Search:
        """A search over `dimensions` for each optimizer. All other keys of `axes` have one value for all trials."""
        check_space(dimensions)
        optimizers = {text.partition("=")[2].strip("'"): text for text in axes.pop("optimizer", [])}
        if not optimizers:
            default = str(self._composer.compose([]).hydra.runtime.choices["optimizer"])
            optimizers = {default: f"optimizer={default}"}
        fixed = [texts[0] for key, texts in axes.items() if key not in dimensions]
        if "any" in optimizers:  # tables show the class's name
            text = optimizers.pop("any")
            optimizers[self._composer.config([*fixed, text])["optimizer"]["name"]] = text

        def trial(optimizer: str, values: Mapping[str, str]) -> tuple[Cell, list[str]]:
            return self._cell([*fixed, optimizers[optimizer], *(f"{key}={value}" for key, value in values.items())])

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
        ones = dict.fromkeys(FACTORS, 1.0)  # or a fixed factor would be applied twice
        config = OmegaConf.create(
            self._composer.config([*overrides, *(f"{name}={one}" for name, one in ones.items())]) | ones
        )
        values = {d.name: d.usual(OmegaConf.select(config, d.name)) for d in dimensions}
        return {name: text for name, text in values.items() if text is not None} if None not in values.values() else {}

    def _cell(self, overrides: list[str]) -> tuple[Cell, list[str]]:
        config = self._composer.config(overrides)
        return Cell(config, Path(config["outputs"]) / run_name(config), 0), without_hydras(overrides)
