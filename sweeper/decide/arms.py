"""The arms of a decision: each one setting, by seed, with the command that trains it and the results on disk."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.config.arms import take_files
from sweeper.config.command_line import read_command_line
from sweeper.config.grid import compose_grid
from sweeper.config.resolved import Cell
from sweeper.decide.judge import Result
from sweeper.runs.record import Damaged, effective_status, read_run
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput


@dataclass(frozen=True)
class Arms:
    """What a decision is about.

    Attributes:
        cells: of each arm its runs by seed.
        words: of each arm the overrides, as `--arm` takes them.
        common: the other words of the command line.
    """

    outputs: Path
    cells: dict[str, dict[int, Cell]]
    words: dict[str, str]
    common: list[str]

    def runs(self) -> dict[str, list[str]]:
        """The directories below the folder of all runs, by seed."""
        return {
            arm: [cell.directory.relative_to(self.outputs).as_posix() for cell in by_seed.values()]
            for arm, by_seed in self.cells.items()
        }

    def results(self) -> dict[str, dict[int, Result]]:
        """What has ended, read from the records. A failed run counts as ended, without a score."""
        found: dict[str, dict[int, Result]] = {}
        for arm, by_seed in self.cells.items():
            ended = {seed: _result(cell.directory) for seed, cell in by_seed.items()}
            found[arm] = {seed: result for seed, result in ended.items() if result is not None}
        return found

    def missing(self, arms: tuple[str, ...], seeds: int) -> list[Path]:
        """Runs of the first `seeds` seeds that haven't ended."""
        results = self.results()
        asked = [(arm, seed) for arm in arms for seed in range(1, seeds + 1)]
        return [self.cells[arm][seed].directory for arm, seed in asked if seed not in results[arm]]

    def command(self, arms: tuple[str, ...], seeds: int) -> list[str]:
        """The command that trains these arms' seeds up to `seeds`, from the first that hasn't ended.

        Seeds before it were looked at: a failed one isn't tried again, since that would change a look afterwards.
        """
        results = self.results()
        first = min(seed for arm in arms for seed in range(1, seeds + 1) if seed not in results[arm])
        flags = [word for arm in arms for word in ("--arm", f"{arm}: {self.words[arm]}")]
        return [sys.executable, "-m", "sweeper.train", "-m", *self.common, *flags, f"seed=range({first},{seeds + 1})"]


def read_arms(words: list[str], most: int) -> Arms:
    """The arms of a command line.

    Args:
        most: seeds at the last look.

    Raises:
        BadInput: there are fewer than two arms, an arm isn't one setting, or arms can't be compared.
    """
    asked = read_command_line(words, "decide")
    if asked.cfg or asked.info:
        raise BadInput(f"--{'cfg' if asked.cfg else 'info'}: is for python -m sweeper.train; leave it out")
    if given := [word for word in asked.overrides if word.lstrip("+").startswith("seed=")]:
        raise BadInput(f"{given[0]}: the seeds follow from the looks; leave it out, --most-seeds says how many")
    grid = compose_grid(["-m", *words, f"seed=range(1,{most + 1})"], "decide")
    if grid.search is not None or len(grid.arms) < 2:
        raise BadInput('a decision needs two arms or more: --arm "sgd: optimizer=sgd" --arm "lion: optimizer=lion"')
    by_directory = {cell.directory: cell for cell in grid.cells}
    cells = {}
    for arm, overrides in grid.words.items():
        if given := [word for word in overrides if word.lstrip("+").startswith("seed=")]:
            raise BadInput(f"arm '{arm}': {given[0]}: the seeds follow from the looks; leave it out")
    for arm, directories in grid.arms.items():
        by_seed = {cell.config["seed"]: cell for cell in map(by_directory.__getitem__, directories)}
        if sorted(by_seed) != list(range(1, most + 1)) or len(directories) != most:
            raise BadInput(f"arm '{arm}': it has {len(directories) // most} settings; a decision needs one an arm")
        cells[arm] = dict(sorted(by_seed.items()))
    check_alike({arm: by_seed[1] for arm, by_seed in cells.items()}, grid.words)
    flags = {arm: " ".join(overrides) for arm, overrides in grid.words.items()}
    common = take_files(asked.overrides)[1]
    if asked.config_dir:
        common += ["--config-dir", asked.config_dir]
    return Arms(grid.outputs, cells, flags, common)


def check_alike(cells: dict[str, Cell], words: dict[str, tuple[str, ...]]) -> None:
    """Check that arms are judged by the same images, and that a different length is meant.

    Raises:
        BadInput: two arms are equal, or differ in data or, without saying so, in epochs.
    """
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
    names: dict[Path, str] = {}  # of arms, by their runs
    for arm, cell in cells.items():
        if (same := names.setdefault(cell.directory, arm)) != arm:
            raise BadInput(f"arms '{same}' and '{arm}': they are the same run; leave one out")


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
