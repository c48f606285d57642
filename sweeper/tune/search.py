"""A search by `experiment=tune`, carried out: the grid, its extensions, and the best again with fresh seeds."""

import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from sweeper.choose.confirm import confirm
from sweeper.config.grid import Grid, compose_grid
from sweeper.config.widening import confirming_seeds
from sweeper.datasets.here import ImagesHere
from sweeper.runs.layout import RUN_FILE
from sweeper.runs.record import find_finished
from sweeper.system.child import run
from sweeper.system.terminal import tell
from sweeper.system.text import counted
from sweeper.train.search.widen import widen

PRESET = "experiment=tune"
BEST = 2  # settings that are run again


def tuning_folder(outputs: Path, name: str) -> Path:
    """Where a tuning lies: beside the folder of the comparison, so that no table of it has the tuning's runs.

    >>> tuning_folder(Path("a/outputs"), "digits").as_posix()
    'a/outputs-tuning/digits'
    """
    return Path(os.path.normpath(outputs / os.pardir / f"{outputs.resolve().name}-tuning" / name))


def carry_out_search(
    words: Sequence[str],
    placing: Sequence[str],
    most: int = BEST,
    config_dir: str | None = None,
    optimizers: Collection[str] = (),
    once: bool = False,
    here: ImagesHere | None = None,
) -> int:
    """Train what is missing of a search and of its confirmation, by `sweeper.train`.

    A confirmed choice on the edge of the grid extends the grid, so search and confirmation alternate until nothing is
    left to train.

    Args:
        words: for `sweeper.train`, with a folder that has no other search.
        placing: the overrides of where and how the best are run again, such as a launcher.
        most: of each optimizer the settings that are run again.
        config_dir: a folder with YAML of the search's own choices, for the runs that confirm.
        optimizers: that are confirmed; of none all in the folder.
        once: confirm once, and extend nothing after it.
        here: what the command knows of the images.

    Returns:
        0 when the choice can be made, else the exit code of the command that stopped.

    Raises:
        BadInput: it would go on with other images than it began with.
    """
    here = here or ImagesHere()
    grid = compose_grid([*words])
    told: list[str] = []
    while True:
        wider, said = widen(grid)
        if left := unfinished(wider):
            if not (once and _is_confirmed(grid)):
                here.check(wider.cells)
                if code := run([sys.executable, "-m", "sweeper.train", *words]):
                    return code
                here.learn(cell for cell in wider.cells if cell.directory in left)
                told = widen(grid)[1]  # by that command
        else:
            runs = len(wider.cells)
            tell(f"search: {counted(runs, 'run')}, all done already, in {grid.outputs}/")
            for line in said:
                tell(line)
            told = said
        if code := confirm([str(grid.outputs)], most, placing, config_dir, optimizers, here):
            return code
        wider, said = widen(grid)
        if once or unfinished(wider) in (set(), left):  # or it can't go on
            for line in said:
                if line not in told:
                    tell(line)
            return 0


def unfinished(grid: Grid) -> set[Path]:
    """The directories of the runs that are still to train."""
    return {cell.directory for cell in grid.cells if find_finished(cell.directory) is None}


def _is_confirmed(grid: Grid) -> bool:
    """Whether any of the best was begun again."""
    assert grid.widening is not None
    seeds = confirming_seeds(grid.widening.seeds)
    return any(True for seed in seeds for _ in grid.outputs.glob(f"*/*-seed{seed}-*/{RUN_FILE}"))
