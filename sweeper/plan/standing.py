"""Finds out how far the runs of a command line already are, only from their directories; no torch."""

from dataclasses import dataclass
from typing import Any

from sweeper.config.grid import Grid
from sweeper.config.resolved import Cell
from sweeper.runs.layout import CHECKPOINT_FILES, METRICS_FILE
from sweeper.runs.metrics import read_metrics
from sweeper.runs.record import Damaged, find_finished, read_run
from sweeper.runs.status import Status

# What the count of a half-done run leaves open: its file lags behind training, and may be ahead of its checkpoint.
COUNTED = "half-done runs are counted by metrics.csv: one that trains may be an epoch further, and one that was killed "
COUNTED += "goes on from its checkpoint, some epochs before"


@dataclass(frozen=True)
class Standing:
    """A requested run: `state` is done, half-done or to do; `left` is the number of epochs to train.

    Of a half-done run `left` is an estimate: the checkpoint's state needs torch to be read, so the rows of
    `metrics.csv` are counted, see `COUNTED`.
    """

    cell: Cell
    state: str
    left: int


def standing(cell: Cell) -> Standing:
    """How far a run is, from its directory."""
    epochs, every = cell.config["epochs"], cell.config["checkpoint_every"]
    if not cell.config["rerun"] and find_finished(cell.directory) is not None:
        return Standing(cell, "done", 0)
    if not cell.config["resumable"] or not any((cell.directory / name).is_file() for name in CHECKPOINT_FILES):
        return Standing(cell, "to do", epochs)
    done = len(read_metrics(cell.directory / METRICS_FILE)[0])
    try:
        stopped = read_run(cell.directory)["status"] in (Status.INTERRUPTED, Status.PRUNED)
    except Damaged:
        stopped = False
    if every and not stopped:  # killed: the epochs after the last checkpoint are lost
        done = done // every * every
    return Standing(cell, "half-done", max(1, epochs - done))


def describe_runs(grid: Grid, runs: list[Standing]) -> dict[str, Any]:
    states = [run.state for run in runs]
    return {
        "outputs": str(grid.outputs),
        "runs": len(runs),
        "done": states.count("done"),
        "half_done": states.count("half-done"),
        "to_do": states.count("to do"),
        "epochs": sum(run.cell.config["epochs"] for run in runs),
        "epochs_left": sum(run.left for run in runs),
        "extensions": grid.widening.most if grid.widening is not None else 0,
    }
