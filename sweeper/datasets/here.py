"""Which images are here, by the hash of their content: whether runs that go on would be trained on those of before."""

import json
import multiprocessing
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from sweeper.config.resolved import Cell
from sweeper.runs.rows import Run, read_row
from sweeper.system.errors import BadInput
from sweeper.system.parent import end_with_parent

# The hash is of all images, as they are read.
_NOT_HASHED = ("validation_fraction", "train_limit", "test_limit", "workers", "crop_padding", "flip")

_ADVICE = "put the search's back, or begin anew in another folder: outputs=DIR"


class ImagesHere:
    """The images that a command's configurations would be trained on. Each data set is read once, when it is asked for.

    A process of its own reads them, so that neither torch nor they stay in the command's memory.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def hash(self, config: dict[str, Any]) -> str:
        """The hash of a configuration's images, as rows have it; "" if they aren't here, as for a cluster's runs."""
        key = data_key(config)
        if key not in self._known:
            with own_process() as pool:
                try:
                    self._known[key] = pool.submit(_digest, config).result()[:8]
                except BadInput:  # training tells why
                    self._known[key] = ""
        return self._known[key]

    def learn(self, cells: Iterable[Cell]) -> None:
        """Take the hashes that runs have recorded which this command has just trained; they needn't be read."""
        for cell, run in finished(cells):
            self._known[data_key(cell.config)] = run.conditions.get("data", "")

    def check(self, cells: Sequence[Cell], known: str = "") -> None:
        """Check that runs of a search, and what goes on from it, have the same images, before missing ones are trained.

        Args:
            known: the hash of the search's images; "": that of the finished ones among these runs.

        Raises:
            BadInput: they have others.
        """
        done = finished(cells)
        for cell, run in done:
            other = run.conditions.get("data", "")
            known = known or other
            if known and other and other != known:
                told = f"was trained on other images (hash {other}) than the search (hash {known})"
                raise BadInput(f"{cell.directory}: {told}; {_ADVICE}")
        there = {cell.directory for cell, _ in done}
        left = [cell for cell in cells if cell.directory not in there]
        if known and left and (here := self.hash(left[0].config)) not in ("", known):
            raise BadInput(f"the images here are others (hash {here}) than the search's (hash {known}); {_ADVICE}")


def finished(cells: Iterable[Cell]) -> list[tuple[Cell, Run]]:
    """Those that have a result, with their rows."""
    rows = [(cell, read_row(str(cell.directory), cell.directory.name)) for cell in cells if cell.directory.is_dir()]
    return [(cell, run) for cell, run in rows if run.configuration and run.status.finished]


def data_key(config: dict[str, Any]) -> str:
    """What decides which images are read, as a text."""
    return json.dumps({k: v for k, v in config["dataset"].items() if k not in _NOT_HASHED}, sort_keys=True)


def own_process() -> ProcessPoolExecutor:
    """One process that ends with this one."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, (os.getpid(),))


def _begin(parent: int) -> None:
    end_with_parent(parent, stop=lambda: None, busy=lambda: False)


def _digest(config: dict[str, Any]) -> str:
    from sweeper.datasets.data import load_run_data

    return load_run_data(config).digest
