"""Reads learning curves for drawing, thins out long ones, and checks whether their seconds are comparable."""

import math
from collections.abc import Sequence
from pathlib import Path

from sweeper.runs.layout import METRICS_FILE
from sweeper.runs.metrics import finite_or_none, read_metrics
from sweeper.runs.rows import Run

DRAWN = (
    "test_accuracy",
    "test_loss",
    "train_loss",
    "train_accuracy",
    "clean_train_accuracy",
    "corrupted_train_accuracy",
    "val_accuracy",
    "val_loss",
    "lr",
)
MOST_EPOCHS = 60  # evenly spaced epochs kept of a longer curve, in addition to its ends and extremes

Column = list[float | None]
Curve = dict[str, Column]  # `epoch`, `step`, `seconds` since the start, and those of `DRAWN` that the run has


def read_curve(run: Run) -> Curve:
    """The rows of a run's `metrics.csv` by column; values that aren't finite are None. Empty without rows of this run.

    `seconds` is the training time, without evaluation.
    """
    if METRICS_FILE in run.other_files:
        return {}
    rows, _ = read_metrics(Path(run.path) / METRICS_FILE)
    if not rows:
        return {}
    curve = {name: [finite_or_none(row[name]) for row in rows] for name in ("epoch", "step", *DRAWN)}
    seconds: Column = []
    total = 0.0
    for row in rows:
        total += row["train_seconds"] or 0.0
        seconds.append(total)
    return {name: column for name, column in curve.items() if any(v is not None for v in column)} | {"seconds": seconds}


def epochs_of(curve: Curve) -> list[int]:
    return [int(epoch) for epoch in curve.get("epoch", ()) if epoch is not None]  # every row has one


def kept_epochs(curves: Sequence[Curve], most: int = MOST_EPOCHS) -> list[int]:
    """The epochs of a configuration's curves to draw; the same for each seed, so that curves can be averaged.

    All epochs if there are at most `most`; else about `most` evenly spaced ones and, for each seed and each of `DRAWN`,
    the first, the last, the highest and the lowest, so that no peak is lost.
    """
    epochs = sorted({epoch for curve in curves for epoch in epochs_of(curve)})
    if len(epochs) <= most:
        return epochs
    kept = set(epochs[:: math.ceil(len(epochs) / most)])
    for curve in curves:
        places = epochs_of(curve)
        for name in DRAWN:
            points = [(v, epoch) for v, epoch in zip(curve.get(name, ()), places, strict=False) if v is not None]
            if points:
                kept |= {epoch for _, epoch in (points[0], points[-1], max(points), min(points))}
    return sorted(kept)


def at_epochs(curve: Curve, name: str, epochs: Sequence[int]) -> Column:
    """A column's values at these epochs; None if the run has no value there."""
    values = dict(zip(curve["epoch"], curve.get(name, ()), strict=False))
    return [values.get(epoch) for epoch in epochs]


def comparable_seconds(runs: Sequence[Run]) -> str:
    """Why the seconds of these finished runs can't be compared; "" if they can."""
    if any(run.values.get("shared_device") is not False for run in runs):
        return "some runs shared their device, or it isn't known"
    if len({(run.values.get("device"), run.values.get("precision"), run.device_name) for run in runs}) > 1:
        return "they were made on different devices or in different precision"
    return ""
