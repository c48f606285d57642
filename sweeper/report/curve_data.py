"""The data of the page's learning curves: each run's, or of many runs the means of their settings, so that the page
stays small. Accuracies are in percent."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sweeper.aggregate.tasks import Setting, Task
from sweeper.report.charts import Curves, looks_of
from sweeper.report.curves import DRAWN, MOST_EPOCHS, Curve, at_epochs, comparable_seconds, kept_epochs
from sweeper.report.provenance import Origin
from sweeper.runs.rows import Run
from sweeper.runs.status import Status

Origins = Mapping[str, Origin]  # by the run's path

MOST_VALUES = 120_000  # of all curves together that are drawn run by run: about a megabyte
LEAST_EPOCHS = 10  # of a mean, however many settings there are


def curve_data(tasks: Sequence[Task], curves: Curves, origins: Origins) -> list[dict[str, Any]]:
    """For each task the learning curves of its settings, one per seed at the epochs of `kept_epochs`.

    Of more than `MOST_VALUES` values each setting has its `mean` over completed seeds, at fewer epochs, and only
    compared settings have runs, the first ones.
    """
    of_optimizer, form = looks_of(tasks), _Form(tasks, curves)
    found = []
    for task in tasks:
        finished = [run for run in task.runs() if run.status.finished]
        why = comparable_seconds(finished, [origins[run.path].device_name for run in finished])
        settings = [
            _setting_curves(s, s in task.compared, curves, not why, form)
            | {"look": of_optimizer[s.optimizer].indices()}
            for s in task.settings
        ]
        shown = [data for data in settings if data["runs"] or "mean" in data]
        found.append({"label": task.label, "no_seconds": why, "settings": shown})
    return found


class _Form:
    """How much of the curves is drawn.

    Attributes:
        whole: every run.
        epochs: of a mean, otherwise.
        runs: of each compared setting, otherwise.
    """

    def __init__(self, tasks: Sequence[Task], curves: Curves) -> None:
        settings = [(setting, setting in task.compared) for task in tasks for setting in task.settings]
        drawn = [curves[run.path] for setting, _ in settings for run in setting.runs if curves[run.path]]
        self.whole = sum(len(c) * min(len(c["epoch"]), MOST_EPOCHS) for c in drawn) <= MOST_VALUES
        columns = max(map(len, drawn), default=1)
        fitting = MOST_VALUES // 2 // (2 * columns * max(1, len(settings)))
        self.epochs = min(max(fitting, LEAST_EPOCHS), MOST_EPOCHS)
        compared = sum(1 for _, compared in settings if compared)
        self.runs = max(1, MOST_VALUES // 2 // (self.epochs * columns * max(1, compared)))


def _setting_curves(setting: Setting, compared: bool, curves: Curves, seconds: bool, form: _Form) -> dict[str, Any]:
    runs = [(run, curves[run.path]) for run in setting.runs if curves[run.path]]
    longest = max((curve for _, curve in runs), key=lambda curve: len(curve["epoch"]), default=Curve())
    data: dict[str, Any] = {"label": setting.label, "optimizer": setting.optimizer, "compared": compared}
    if form.whole:
        epochs = kept_epochs([curve for _, curve in runs])
    else:
        epochs = _spaced([int(epoch) for epoch in longest.get("epoch", ()) if epoch is not None], form.epochs)
        completed = [curve for run, curve in runs if run.status is Status.COMPLETED]
        if completed:
            data["mean"] = _mean(completed, epochs, seconds)
        runs.sort(key=lambda item: item[0].status is Status.COMPLETED)  # no diverged one is left out first
        runs = runs[: form.runs] if compared or not completed else []
    drawn = [_run_curves(run, curve, epochs, seconds) for run, curve in runs]
    return data | {
        "epochs": epochs,
        "steps": at_epochs(longest, "step", epochs) if longest else [],
        "runs": drawn,
    }


def _run_curves(run: Run, curve: Curve, epochs: list[int], seconds: bool) -> dict[str, Any]:
    return {
        "seed": run.values["seed"],
        "status": run.values["status"],
        "metrics": {name: _drawn(curve, name, epochs) for name in DRAWN if name in curve},
        **({"seconds": [_rounded(s) for s in at_epochs(curve, "seconds", epochs)]} if seconds else {}),
    }


def _spaced(epochs: list[int], most: int) -> list[int]:
    """At most so many of them, evenly spaced, with the first and the last."""
    if len(epochs) <= most:
        return epochs
    return [epochs[round(k * (len(epochs) - 1) / (most - 1))] for k in range(most)]


def _mean(curves: Sequence[Curve], epochs: list[int], seconds: bool) -> dict[str, Any]:
    """The curves' mean and standard deviation, where all of them have a value; of one curve no deviation."""
    metrics = {}
    for name in DRAWN:
        having = [curve for curve in curves if name in curve]
        if having:
            mean, spread = _mean_and_spread(having, name, epochs)
            metrics[name] = {"n": len(having), "y": mean, **({"spread": spread} if len(having) > 1 else {})}
    return {"metrics": metrics, **({"seconds": _mean_and_spread(curves, "seconds", epochs)[0]} if seconds else {})}


def _mean_and_spread(curves: Sequence[Curve], name: str, epochs: list[int]) -> tuple[list[Any], list[Any]]:
    values = np.array([at_epochs(curve, name, epochs) for curve in curves], dtype=float)  # None becomes NaN
    factor = 100 if name.endswith("accuracy") else 1
    mean = values.mean(axis=0)
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros_like(mean)
    return tuple([None if math.isnan(v) else _rounded(factor * v) for v in row] for row in (mean, spread))  # type: ignore[return-value]


def _drawn(curve: Curve, name: str, epochs: list[int]) -> list[float | None]:
    factor = 100 if name.endswith("accuracy") else 1
    return [None if value is None else _rounded(factor * value) for value in at_epochs(curve, name, epochs)]


def _rounded(value: float | None) -> float | None:
    """A value with five digits, more than a screen shows."""
    return None if value is None else float(f"{value:.5g}")
