"""`metrics.csv` read back: a run's figures so far, before it has a result of its own."""

import math
import os
from pathlib import Path
from typing import Any

from sweeper.cells import NUMBER, SHARE
from sweeper.files import read_file
from sweeper.runs import METRICS, METRICS_FILE, Damaged

Row = dict[str, float | None]


def read_metrics(path: Path) -> tuple[list[Row], str | None]:
    """The whole rows of a `metrics.csv`, and what is wrong with the rest; no rows where there is no such file.

    Accuracies are in [0, 1]; empty cells are None. A row without its line's end is not whole: its last number may be
    half of one.
    """
    if not os.path.isfile(path):
        return [], None
    try:
        content = read_file(path)
    except OSError as error:
        return [], f"{METRICS_FILE}: {error.strerror or error}"
    lines = content.decode(errors="replace").split("\n")
    if lines[0] != ",".join(METRICS):
        return [], f"{METRICS_FILE}: its first line is not the names of the metrics"
    rows: list[Row] = []
    try:
        for line in lines[1:-1]:
            rows.append(_read_line(line))
    except (ValueError, Damaged):
        return rows, f"{METRICS_FILE}: only its first {len(rows)} rows can be read"
    if lines[-1] or len(lines) == 1:
        return rows, f"{METRICS_FILE}: cut off after {len(rows)} whole rows"
    return rows, None


def figures_so_far(rows: list[Row], target: float | None) -> dict[str, Any]:
    """The columns of the table that an unfinished run has already, as `record.summarize_rows` counts them.

    Args:
        target: test accuracy in (0, 1] whose first epoch gives `steps_to_target`.
    """
    tested = [row for row in rows if row["test_accuracy"] is not None]
    best = max(tested, key=lambda row: row["test_accuracy"] or 0.0, default=None)
    reached = [row["step"] for row in tested if target is not None and (row["test_accuracy"] or 0.0) >= target]
    timed = [(row["train_seconds"] or 0.0, row["images_per_second"] or 0.0) for row in rows]
    seconds = math.fsum(s for s, _ in timed)
    return {
        "epochs_done": _integer(rows[-1]["epoch"]) if rows else 0,
        "best_test_accuracy": best["test_accuracy"] if best else None,
        "best_epoch": _integer(best["epoch"]) if best else None,
        "best_val_accuracy": max(
            (row["val_accuracy"] for row in rows if row["val_accuracy"] is not None), default=None
        ),
        "steps_to_target": _integer(reached[0]) if reached else None,
        "train_seconds": round(seconds, 6) if rows else None,
        "images_per_second": round(math.fsum(s * i for s, i in timed) / seconds, 1) if seconds else None,
    }


def _read_line(line: str) -> Row:
    row = dict(zip(METRICS, (float(cell) if cell else None for cell in line.split(",")), strict=True))
    for name in ("epoch", "step", "train_seconds", "images_per_second"):
        if NUMBER.check(name, row[name]) is None or row[name] < 0:  # type: ignore[operator]
            raise ValueError(name)
    for name in ("test_accuracy", "val_accuracy"):
        SHARE.check(name, row[name])
    return row


def _integer(value: float | None) -> int | None:
    return None if value is None else int(value)
