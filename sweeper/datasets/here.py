"""Which images are here, by the hash of their content: whether runs that go on would be trained on those of before."""

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from sweeper.config.resolved import Cell
from sweeper.datasets.facts import PUBLISHED
from sweeper.runs.rows import Run, read_row
from sweeper.system.errors import BadInput
from sweeper.system.parent import end_with_parent

# The hash is of all images, as they are read.
_NOT_HASHED = ("validation_fraction", "train_limit", "test_limit", "workers", "crop_padding", "flip")


class ImagesHere:
    """The images that a command's configurations would be trained on. Each data set is read once, when it is asked for.

    A process of its own reads them, so that neither torch nor they stay in the command's memory. It downloads nothing.

    Args:
        field: the hash of the images of a published field, if all that the command trains is compared with it.
    """

    def __init__(self, field: str = "") -> None:
        self._known: dict[str, str] = {}
        self._field = field

    def hash(self, config: dict[str, Any]) -> str:
        """The hash of a configuration's images, as rows have it; "" if they aren't here, as for a cluster's runs.

        Raises:
            BadInput: the process that reads them was killed.
        """
        key = data_key(config)
        if key not in self._known:
            with own_process(f"dataset={config['dataset']['name']}: reading its images") as pool:
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
        whose = "field" if self._field else "search"
        advice = f"put the {whose}'s back, or begin anew in another folder: outputs=DIR"
        if self._field and known not in ("", self._field):
            told = f"it was trained on other images (hash {known}) than the field (hash {self._field})"
            raise BadInput(f"{cells[0].directory.parents[1]}: {told}; {advice}")
        known = known or self._field
        done = finished(cells)
        for cell, run in done:
            other = run.conditions.get("data", "")
            known = known or other
            if known and other and other != known:
                told = f"was trained on other images (hash {other}) than the {whose} (hash {known})"
                raise BadInput(f"{cell.directory}: {told}; {advice}")
        there = {cell.directory for cell, _ in done}
        left = [cell for cell in cells if cell.directory not in there]
        if known and left and (here := self.hash(left[0].config)) not in ("", known):
            raise BadInput(f"the images here are others (hash {here}) than the {whose}'s (hash {known}); {advice}")


def finished(cells: Iterable[Cell]) -> list[tuple[Cell, Run]]:
    """Those that have a result, with their rows."""
    rows = [(cell, read_row(str(cell.directory), cell.directory.name)) for cell in cells if cell.directory.is_dir()]
    return [(cell, run) for cell, run in rows if run.configuration and run.status.finished]


def data_key(config: dict[str, Any]) -> str:
    """What decides which images are read, as a text."""
    return json.dumps({k: v for k, v in config["dataset"].items() if k not in _NOT_HASHED}, sort_keys=True)


@contextmanager
def own_process(work: str) -> Iterator[ProcessPoolExecutor]:
    """One process that ends with this one.

    Args:
        work: what it does, for the error.

    Raises:
        BadInput: it was killed.
    """
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin, (os.getpid(),)) as pool:
            yield pool
    except BrokenExecutor as error:
        why = "its process was killed, perhaps because memory was used up"
        raise BadInput(f"{work}: {why}; free some, and the same command goes on") from error


def _begin(parent: int) -> None:
    end_with_parent(parent, stop=lambda: None, busy=lambda: False)


def _digest(config: dict[str, Any]) -> str:
    os.environ["HF_HUB_OFFLINE"] = "1"  # before the Hub's library is imported, which then reads its cache alone
    from sweeper.datasets.data import load_run_data

    dataset = config["dataset"]
    if dataset["loader"] in PUBLISHED:
        dataset = {**dataset, "download": False}
    return load_run_data({**config, "dataset": dataset}).digest
