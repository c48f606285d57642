"""`sweeper train --json`: one JSON document on standard output at the end; all that is printed else goes to stderr."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from sweeper.config.grid import Grid
from sweeper.config.resolved import Cell
from sweeper.runs.arms import ArmsByFolder
from sweeper.runs.asked import arm_of_each
from sweeper.runs.layout import RUN_FILE
from sweeper.runs.results import read_results
from sweeper.runs.rows import ARM, Run, read_row
from sweeper.runs.status import Status
from sweeper.system.document import print_document
from sweeper.system.errors import BadInput
from sweeper.train.label import Labelled, label_rows, varies_in
from sweeper.train.sweep_end import latest_tables

FROM_ROW = (
    "final_test_accuracy",
    "best_test_accuracy",
    "best_epoch",
    "final_val_accuracy",
    "best_val_accuracy",
    "train_seconds",
    "error",
)


def answer_in_json(train: Callable[[Callable[[Grid], None]], int]) -> int:
    """Call the command and print its document. Returns the command's exit code.

    Args:
        train: the command; it calls its argument with the grid as soon as that is known, and with each extended one.
    """
    grids: list[Grid] = []
    return print_document(lambda: train(grids.append), lambda: _document(grids[-1] if grids else None))


def _document(grid: Grid | None) -> dict[str, Any]:
    """See docs/schemas/train.json."""
    tables = latest_tables()
    return {
        "outputs": None if grid is None else str(grid.outputs),
        "answers": tables.answers,
        "tables": tables.files,
        "page": tables.page,
        "runs": [] if grid is None else list(_runs(grid)),
    }


def _runs(grid: Grid) -> Iterator[dict[str, Any]]:
    if grid.search is not None:  # its trials aren't known beforehand
        with contextlib.suppress(BadInput):  # no folder yet
            for run in read_results([str(grid.outputs)], none_ok=True).runs:
                asked = (run.values.get(name) for name in ("optimizer", "seed", "epochs"))
                yield _describe(run, "", *asked)
        return
    labelled = [Labelled(cell.directory, cell.config, grid.jobs[cell.number]) for cell in grid.cells]
    labels = label_rows(labelled, arm_of_each(grid.arms), varies_in(grid))
    arms = ArmsByFolder() if grid.arms else None
    for cell in grid.cells:
        config, label = cell.config, labels.get(cell.directory, "")
        yield _describe(_row(cell, arms), label, config["optimizer"]["name"], config["seed"], config["epochs"])


def _row(cell: Cell, arms: ArmsByFolder | None) -> Run:
    name = "/".join(cell.directory.parts[-2:])
    if os.path.lexists(cell.directory / RUN_FILE):
        run = read_row(str(cell.directory), name)
    else:
        run = Run(str(cell.directory), {"run": name, "status": Status.WAITING.value})
    member = None if arms is None else arms.of(run.path)
    run.values[ARM] = member.arm or None if member is not None else None
    return run


def _describe(run: Run, label: str, optimizer: str | None, seed: int | None, epochs: int | None) -> dict[str, Any]:
    return {
        "run": run.values["run"],
        "directory": run.path,
        "label": label or None,
        "status": run.status.value,
        "optimizer": optimizer,
        "arm": run.arm,
        "seed": seed,
        "epochs_done": run.epochs_done,
        "epochs": epochs,
        **{name: run.values.get(name) for name in FROM_ROW},
    }
