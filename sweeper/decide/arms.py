"""The arms of a decision: each one setting, by seed, with the command that trains it and the results on disk."""

import argparse
import itertools
import math
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.config.arms import take_files
from sweeper.config.command_line import read_command_line
from sweeper.config.grid import Grid, compose_grid
from sweeper.config.overrides import check_repeated, parse_overrides
from sweeper.config.resolved import Cell
from sweeper.decide.field import Field
from sweeper.decide.judge import Result
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import asked_runs
from sweeper.runs.record import Damaged, effective_status, read_run
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput
from sweeper.system.text import counted


@dataclass(frozen=True)
class Arms:
    """What a decision is about.

    Attributes:
        cells: of each arm its runs by seed.
        words: of each arm the overrides, as `--arm` takes them; none if the common words are the only arm.
        common: the other words of the command line.
        seeds: in the order in which they are trained.
        field: whose records each arm is compared with; None: arms are compared with each other alone.
    """

    outputs: Path
    cells: dict[str, dict[int, Cell]]
    words: dict[str, str]
    common: list[str]
    seeds: tuple[int, ...]
    field: Field | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The arms, and after them the field's optimizers."""
        return (*self.cells, *(self.field.runs if self.field else ()))

    @property
    def pairs(self) -> frozenset[frozenset[str]]:
        """What is decided: all pairs but those within the field."""
        within = {frozenset(pair) for pair in itertools.combinations(self.field.runs if self.field else (), 2)}
        return frozenset(frozenset(pair) for pair in itertools.combinations(self.names, 2)) - within

    def runs(self) -> dict[str, list[str]]:
        """The directories by seed, below the folder of all runs or, of the field, below its own."""
        own = {
            arm: [cell.directory.relative_to(self.outputs).as_posix() for cell in by_seed.values()]
            for arm, by_seed in self.cells.items()
        }
        return own | (self.field.directories() if self.field else {})

    def results(self) -> dict[str, dict[int, Result]]:
        """What has ended, read from the records. A failed run counts as ended, without a score."""
        found: dict[str, dict[int, Result]] = {}
        for arm, by_seed in self.cells.items():
            ended = {seed: _result(cell.directory) for seed, cell in by_seed.items()}
            found[arm] = {seed: result for seed, result in ended.items() if result is not None}
        return found | (self.field.results() if self.field else {})

    def missing(self, arms: tuple[str, ...], seeds: int) -> list[Path]:
        """Runs of the first `seeds` seeds that haven't ended."""
        results = self.results()
        asked = [(arm, seed) for arm in arms for seed in self.seeds[:seeds]]
        return [self.cells[arm][seed].directory for arm, seed in asked if seed not in results[arm]]

    def record(self, arms: Collection[str], seeds: int) -> bool:
        """Record in `arms.json` that these arms' first `seeds` seeds are compared, for the tables and the page.

        The sweeps that train them don't say it all: they have only those that are missing.
        Returns whether it is recorded; if not, a line says so.
        """
        cells = {arm: [self.cells[arm][seed] for seed in self.seeds[:seeds]] for arm in self.words if arm in arms}
        if not cells:
            return True
        configs = {cell.directory: cell.config for runs in cells.values() for cell in runs}
        compared = {arm: [cell.directory for cell in runs] for arm, runs in cells.items()}
        return record_arms(self.outputs, asked_runs(configs, [compared]))

    def command(self, arms: tuple[str, ...], seeds: int, results: dict[str, dict[int, Result]]) -> list[str]:
        """The command that trains these arms' first `seeds` seeds, from the first that hasn't ended.

        Seeds before it were looked at: a failed one isn't tried again, since that would change a look afterwards.

        Args:
            results: those that were judged; of the runs that they lack another command may end some meanwhile.
        """
        asked = self.seeds[:seeds]
        first = min(k for arm in arms for k, seed in enumerate(asked) if seed not in results[arm])
        flags = [word for arm in arms if arm in self.words for word in ("--arm", f"{arm}: {self.words[arm]}")]
        return [sys.executable, "-m", "sweeper.train", "-m", *self.common, *flags, _seeds(asked[first:])]


def read_arms(words: list[str], most: int) -> Arms:
    """The arms of a command line.

    Args:
        most: seeds at the last look.

    Raises:
        BadInput: there are fewer than two arms, an arm isn't one setting, or arms can't be compared.
    """
    asked, seeds = read_words(words), tuple(range(1, most + 1))
    grid = compose(words, seeds)
    if len(grid.arms) < 2:
        raise BadInput(f"a decision needs two arms or more: {_as_arms(asked.overrides)}")
    cells = cells_of(grid, seeds)
    check_alike({arm: by_seed[1] for arm, by_seed in cells.items()}, grid.words)
    return Arms(grid.outputs, cells, as_flags(grid), shared_words(asked), seeds)


def _as_arms(overrides: Sequence[str]) -> str:
    """How to write the first option with several values as arms; if there is none, an example.

    >>> _as_arms(["dataset=mnist1d", "optimizer=sgd,adamw"])
    '--arm "sgd: optimizer=sgd" --arm "adamw: optimizer=adamw"'
    """
    several = (re.fullmatch(r"([\w./]+)=([\w.-]+(?:,[\w.-]+)+)", word) for word in overrides)
    name, values = next((found.groups() for found in several if found), ("optimizer", "sgd,lion"))
    return " ".join(f'--arm "{value}: {name}={value}"' for value in values.split(","))


def read_words(words: Sequence[str]) -> argparse.Namespace:
    """The command line's words, parsed.

    Raises:
        BadInput: a word isn't for this command.
    """
    asked = read_command_line([*words], "decide")
    if asked.cfg or asked.info:
        raise BadInput(f"--{'cfg' if asked.cfg else 'info'}: is for python -m sweeper.train; leave it out")
    check_repeated(parse_overrides(asked.overrides))
    if given := [word for word in asked.overrides if _is_seed(word)]:
        raise BadInput(f"{given[0]}: the seeds follow from the looks; leave it out, --most-seeds says how many")
    return asked


def compose(words: Sequence[str], seeds: Sequence[int]) -> Grid:
    """The runs of these words with these seeds.

    Raises:
        BadInput: something in them is invalid, or they ask for a search or to train again, or give seeds in an arm.
    """
    grid = compose_grid(["-m", *words, _seeds(seeds)], "decide")
    if grid.search is not None:
        raise BadInput("a decision is between settings, and this is a search; choose one of each first")
    if any(cell.config["rerun"] for cell in grid.cells):
        once = "a decision trains each seed once"  # other runs of them would be more looks than the rule has
        raise BadInput(f"rerun=true: {once}; leave it out, or decide anew in another folder: outputs=DIR")
    for arm, overrides in grid.words.items():
        if given := [word for word in overrides if _is_seed(word)]:
            raise BadInput(f"arm '{arm}': {given[0]}: the seeds follow from the looks; leave it out")
    return grid


def cells_of(grid: Grid, seeds: Sequence[int]) -> dict[str, dict[int, Cell]]:
    """Each arm's runs by seed.

    Raises:
        BadInput: an arm isn't one setting.
    """
    by_directory = {cell.directory: cell for cell in grid.cells}
    cells = {}
    for arm, directories in grid.arms.items():
        by_seed = {cell.config["seed"]: cell for cell in map(by_directory.__getitem__, directories)}
        if sorted(by_seed) != sorted(seeds) or len(directories) != len(seeds):
            raise BadInput(
                f"arm '{arm}': it has {counted(len(directories) // len(seeds), 'setting')}; a decision needs one an arm"
            )
        cells[arm] = dict(sorted(by_seed.items()))
    return cells


def as_flags(grid: Grid) -> dict[str, str]:
    """Each arm's overrides as `--arm` takes them."""
    return {arm: " ".join(overrides) for arm, overrides in grid.words.items()}


def shared_words(asked: argparse.Namespace) -> list[str]:
    """The words of the command line outside of arms."""
    return take_files(asked.overrides)[1] + (["--config-dir", asked.config_dir] if asked.config_dir else [])


def check_alike(cells: dict[str, Cell], words: dict[str, tuple[str, ...]]) -> None:
    """Raises BadInput if two arms are equal, or differ in the data that judge them or, without saying so, in epochs."""
    first, *others = cells
    for other in others:
        a, b = cells[first].config, cells[other].config
        if _judged_by(a) != _judged_by(b):
            raise BadInput(f"arms '{first}' and '{other}': they have other data, so their accuracies can't be compared")
        if a["epochs"] != b["epochs"] and not any(w.startswith("epochs=") for w in (*words[first], *words[other])):
            lengths = f"{a['epochs']} and {b['epochs']} epochs"
            raise BadInput(
                f"arms '{first}' and '{other}': they train {lengths}; write epochs= into the arm if it's meant"
            )
    check_distinct(cells)


def check_distinct(cells: dict[str, Cell]) -> None:
    """Raises BadInput if two arms are the same run."""
    names: dict[Path, str] = {}  # of arms, by their runs
    for arm, cell in cells.items():
        if (same := names.setdefault(cell.directory, arm)) != arm:
            raise BadInput(f"arms '{same}' and '{arm}': they are the same run; leave one out")


def _is_seed(word: str) -> bool:
    return word.lstrip("+").startswith("seed=")


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed={','.join(map(str, seeds))}"


def _judged_by(config: dict[str, Any]) -> Any:
    data = config["dataset"]
    return [data.get(name) for name in ("name", "loader", "root", "test_limit", "test_fraction", "image_size")]


def _result(directory: Path) -> Result | None:
    try:
        run = read_run(directory)
    except Damaged:
        return None
    status = effective_status(run, directory)
    if status is Status.COMPLETED:
        score = (run["result"] or {}).get("final_test_accuracy")
        return Result(float(score) if isinstance(score, (int, float)) else math.nan)
    if status is Status.DIVERGED:
        return Result(math.nan, diverged=True)
    return Result(math.nan) if status is Status.FAILED else None
