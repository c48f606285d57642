"""Reads `metrics.csv` and computes a run's figures from its rows."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeper.runs.checks import AMOUNT, COUNT, EPOCHS, FLAG, NUMBER, SECONDS, SHARE, Damaged, Kind
from sweeper.runs.layout import METRICS_FILE
from sweeper.runs.status import Status
from sweeper.system.files import read_file
from sweeper.system.limits import METRICS_BYTES, MOST_EPOCHS
from sweeper.system.text import counted

METRICS = (
    "epoch",  # from 1
    "step",  # training steps so far, at the epoch's end
    "lr",  # at the epoch's last step
    "train_loss",  # mean over the epoch's augmented batches, measured while training
    "train_accuracy",  # likewise; a noisy label counts as the true one
    "clean_train_accuracy",  # on the training images whose label is right
    "corrupted_train_accuracy",  # share of the wrongly labelled images classified as that label: memorization
    "val_loss",
    "val_accuracy",  # on the images held out by dataset.validation_fraction; empty without them
    "test_loss",
    "test_accuracy",
    "train_seconds",  # without evaluation
    "images_per_second",  # in training
)

ACCURACIES = tuple(name for name in METRICS if name.endswith("accuracy"))

# A run's figures in `run.json` and in the table.
FROM_RESULT: dict[str, Kind] = {
    "final_test_accuracy": SHARE,  # after the last epoch; final_ figures exist only for completed runs
    "best_test_accuracy": SHARE,  # the highest over all epochs
    "best_epoch": EPOCHS,  # the first epoch with that accuracy
    "final_val_accuracy": SHARE,  # on the images held out by dataset.validation_fraction
    "best_val_accuracy": SHARE,
    "final_train_loss": NUMBER,
    "steps_to_target": COUNT,  # until the first epoch that reached target_accuracy; inf: never; empty: no target
    "train_seconds": SECONDS,  # without evaluation
    "images_per_second": AMOUNT,  # in training
    "peak_memory_bytes": COUNT,  # of the device; on the CPU, of the process
    "shared_device": FLAG,  # other runs used the device at the same time: its seconds aren't comparable
}

Row = dict[str, float | None]


def read_metrics(path: Path) -> tuple[list[Row], str | None]:
    """The rows of a `metrics.csv`, and what is wrong with the rest or None. A missing file has no rows.

    Accuracies are in [0, 1]; empty cells are None. A last line without a newline is dropped: its last number may be
    cut off.
    """
    if not os.path.isfile(path):
        return [], None
    try:
        content = read_file(path, METRICS_BYTES)
    except OSError as error:
        return [], f"{METRICS_FILE}: {error.strerror or error}"
    lines = content.decode(errors="replace").split("\n")
    if lines[0] != ",".join(METRICS):
        return [], f"{METRICS_FILE}: its first line is not the names of the metrics"
    rows: list[Row] = []
    try:
        for line in lines[1:-1]:
            rows.append(read_line(line))
    except (ValueError, Damaged):
        return rows, f"{METRICS_FILE}: can't be read after {counted(len(rows), 'whole row')}"
    if lines[-1] or len(lines) == 1:
        return rows, f"{METRICS_FILE}: cut off after {counted(len(rows), 'whole row')}"
    return rows, None


def figures(rows: Sequence[Mapping[str, Any]], target: float | None, status: Status) -> dict[str, Any]:
    """A run's figures from its epochs' rows. Final ones are given only for a run that was completed.

    `steps_to_target` is null without a target and `inf` if a finished run never reached it. A run that
    reached the target and diverged later has its steps; `sweeper.report` counts it as never reached. Seconds exclude
    evaluation.

    Args:
        target: the test accuracy to reach, in (0, 1].
        status: the run's status.
    """
    last = rows[-1] if rows else {}
    completed = status is Status.COMPLETED
    seconds = math.fsum(row["train_seconds"] for row in rows)
    tested = [row for row in rows if row.get("test_accuracy") is not None]
    validated = [row["val_accuracy"] for row in rows if row.get("val_accuracy") is not None]
    best = max(tested, key=lambda row: row["test_accuracy"], default=None)  # the first of equal ones
    images = math.fsum(row["train_seconds"] * row["images_per_second"] for row in rows)
    return {
        "epochs_done": int(last.get("epoch", 0)),
        "steps": int(last.get("step", 0)),
        "final_test_accuracy": last.get("test_accuracy") if completed else None,
        "best_test_accuracy": best["test_accuracy"] if best else None,
        "best_epoch": int(best["epoch"]) if best else None,
        "final_val_accuracy": last.get("val_accuracy") if completed else None,
        "best_val_accuracy": max(validated, default=None),
        "final_train_loss": finite_or_none(last.get("train_loss")) if completed else None,
        "steps_to_target": _steps_to_target(tested, target, status),
        "train_seconds": round(seconds, 6),
        "images_per_second": per_second(images, seconds) if seconds else None,
    }


def per_second(count: float, seconds: float) -> float:
    """A speed to a tenth, or to five digits where that is more: one of a large model on a CPU may be far below 1.

    >>> per_second(123_456, 2), per_second(10, 3), per_second(1, 30), per_second(0, 1)
    (61728.0, 3.3333, 0.033333, 0.0)
    """
    speed = count / seconds
    return round(speed, max(1, 4 - math.floor(math.log10(speed)))) if speed > 0 else 0.0


def figures_so_far(rows: list[Row], target: float | None) -> dict[str, Any]:
    """The figures of a run that has no result yet; empty ones before its first epoch."""
    found = figures(rows, target, Status.RUNNING)
    return found if rows else dict.fromkeys(found) | {"epochs_done": 0}


def check_figures(result: dict[str, Any]) -> dict[str, Any]:
    """The figures of a result, validated; None for those that it lacks.

    Raises:
        Damaged: a figure is of another kind.
    """
    never = result.get("steps_to_target") == "inf"
    if never:
        result = {**result, "steps_to_target": None}
    values = {column: kind.check(f"result.{column}", result.get(column)) for column, kind in FROM_RESULT.items()}
    if never:
        values["steps_to_target"] = math.inf
    return values


def _steps_to_target(tested: list[Mapping[str, Any]], target: float | None, status: Status) -> int | str | None:
    if target is None:
        return None
    reached = next((int(row["step"]) for row in tested if row["test_accuracy"] >= target), None)
    return "inf" if reached is None and status.finished else reached


def finite_or_none(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def read_line(line: str) -> Row:
    """A row of `metrics.csv`.

    Raises:
        ValueError, Damaged: it isn't one.
    """
    row = dict(zip(METRICS, (float(cell) if cell else None for cell in line.split(",")), strict=True))
    for name, kind in (("epoch", AMOUNT), ("step", AMOUNT), ("train_seconds", SECONDS), ("images_per_second", AMOUNT)):
        if (value := kind.check(name, row[name])) is None or (name == "epoch" and value >= MOST_EPOCHS):
            raise ValueError(name)
    for name in ACCURACIES:
        if (value := row[name]) is not None and not (math.isnan(value) and name.endswith("train_accuracy")):
            SHARE.check(name, value)
    return row
