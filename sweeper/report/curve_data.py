"""The data of the page's learning curves: each run's, or of many runs the means of their settings, so that the page
stays small. Accuracies are in percent."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sweeper.aggregate.tasks import Setting, Task
from sweeper.report.charts import Curves, looks_of
from sweeper.report.curves import DRAWN, MOST_EPOCHS, Curve, at_epochs, comparable_seconds, epochs_of, kept_epochs
from sweeper.runs.rows import Run
from sweeper.runs.status import Status

MOST_VALUES = 120_000  # of all curves together that are drawn run by run: about a megabyte
FEW_VALUES = 60_000  # of the means, and of the runs, where there are more
LEAST_EPOCHS = 10  # of a mean, however many settings there are


def curve_data(tasks: Sequence[Task], curves: Curves) -> list[dict[str, Any]]:
    """For each task the learning curves of its settings, one per seed at the epochs of `kept_epochs`.

    Of more than `MOST_VALUES` values each setting has its `mean` over completed seeds, at fewer epochs, compared ones
    with the deviation. Of the runs there are then the diverged ones and the first ones of compared settings, as far as
    there is room; `left_out` is the number of diverged ones without.
    """
    of_optimizer, form = looks_of(tasks), _Form(tasks, curves)
    found = []
    for task in tasks:
        finished = [run for run in task.runs() if run.status.finished]
        why = comparable_seconds(finished)
        settings = [
            _setting_curves(s, s in task.compared, curves, not why, form)
            | {"look": of_optimizer[s.optimizer].indices()}
            for s in task.settings
        ]
        shown = [data for data in settings if data["runs"] or "mean" in data]
        left_out = sum(data.pop("left_out", 0) for data in settings)
        found.append({"label": task.label, "no_seconds": why, "settings": shown, "left_out": left_out})
    return found


def share_places(tasks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with each column written once: epochs and steps that settings of a task have in common in its `places`,
    and a metric that equals another of the run, such as that of the right labels where none is wrong, as its name."""
    found = []
    for task in tasks:
        places: dict[tuple[Any, ...], int] = {}
        settings = []
        for setting in task["settings"]:
            place = tuple(setting["epochs"]), tuple(setting["steps"])
            own = {key: value for key, value in setting.items() if key not in ("epochs", "steps")}
            own["runs"] = [_with_names(run) for run in own["runs"]]
            if "mean" in own:
                own["mean"] = _with_names(own["mean"])
            settings.append(own | {"place": places.setdefault(place, len(places))})
        found.append(
            task | {"settings": settings, "places": [{"epochs": list(e), "steps": list(s)} for e, s in places]}
        )
    return found


def _with_names(curves: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, str] = {}
    first = {name: names.setdefault(json.dumps(column), name) for name, column in curves["metrics"].items()}
    return curves | {"metrics": {k: column if first[k] == k else first[k] for k, column in curves["metrics"].items()}}


class _Form:
    """How much of the curves is drawn.

    Attributes:
        whole: every run.
        epochs: of a mean, otherwise.
        diverged: of each setting that many diverged runs.
        runs: of each compared setting so many others.
    """

    def __init__(self, tasks: Sequence[Task], curves: Curves) -> None:
        settings = [(setting, setting in task.compared) for task in tasks for setting in task.settings]
        drawn = [curves[run.path] for setting, _ in settings for run in setting.runs if curves[run.path]]
        self.whole = sum(len(c) * min(len(c["epoch"]), MOST_EPOCHS) for c in drawn) <= MOST_VALUES
        columns = max((sum(name in curve for name in DRAWN) for curve in drawn), default=1)
        compared = sum(1 for _, compared in settings if compared)
        of_means = columns * max(1, len(settings) + compared)
        self.epochs = min(max(FEW_VALUES // of_means, LEAST_EPOCHS), MOST_EPOCHS)
        with_diverged = sum(setting.diverged() > 0 for setting, _ in settings)
        self.diverged = max(1, FEW_VALUES // 2 // (self.epochs * columns * max(1, with_diverged)))
        left = FEW_VALUES - max(0, self.epochs * of_means - FEW_VALUES)
        self.runs = max(0, left // 2 // (self.epochs * columns * max(1, compared)))


def _setting_curves(setting: Setting, compared: bool, curves: Curves, seconds: bool, form: _Form) -> dict[str, Any]:
    runs = [(run, curves[run.path]) for run in setting.runs if curves[run.path]]
    longest = max((curve for _, curve in runs), key=lambda curve: len(curve["epoch"]), default=Curve())
    data: dict[str, Any] = {"label": setting.label, "optimizer": setting.optimizer, "compared": compared}
    if form.whole:
        epochs = kept_epochs([curve for _, curve in runs])
        drawn = [_run_curves(run, curve, epochs, seconds) for run, curve in runs]
    else:
        epochs = _spaced(epochs_of(longest), form.epochs)
        completed = [curve for run, curve in runs if run.status is Status.COMPLETED]
        if completed:
            data["mean"] = _mean(completed, epochs, seconds, compared)
        diverged = [item for item in runs if item[0].status is Status.DIVERGED]
        data["left_out"] = max(0, len(diverged) - form.diverged)
        drawn = [_run_to_its_end(*item, form.epochs, seconds) for item in diverged[: form.diverged]]
        if compared or not completed:
            others = [item for item in runs if item[0].status is not Status.DIVERGED]
            most = form.runs if completed else max(1, form.runs)
            drawn += [_run_curves(run, curve, epochs, seconds) for run, curve in others[:most]]
    return data | {
        "epochs": epochs,
        "steps": at_epochs(longest, "step", epochs) if longest else [],
        "runs": drawn,
    }


def _run_to_its_end(run: Run, curve: Curve, most: int, seconds: bool) -> dict[str, Any]:
    """A run that ended early, at epochs of its own: those of its setting may miss its end."""
    epochs = _spaced(epochs_of(curve), most)
    own = {"epochs": epochs, "steps": at_epochs(curve, "step", epochs)}
    return _run_curves(run, curve, epochs, seconds) | own


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
    if most == 1:
        return epochs[-1:]
    return [epochs[round(k * (len(epochs) - 1) / (most - 1))] for k in range(most)]


def _mean(curves: Sequence[Curve], epochs: list[int], seconds: bool, with_spread: bool) -> dict[str, Any]:
    """The curves' mean and standard deviation, where all of them have a value; no deviation where it is 0."""
    metrics = {}
    for name in DRAWN:
        having = [curve for curve in curves if name in curve]
        if having:
            mean, spread = _mean_and_spread(having, name, epochs)
            metrics[name] = {"n": len(having), "y": mean, **({"spread": spread} if with_spread and any(spread) else {})}
    return {"metrics": metrics, **({"seconds": _mean_and_spread(curves, "seconds", epochs)[0]} if seconds else {})}


def _mean_and_spread(curves: Sequence[Curve], name: str, epochs: list[int]) -> tuple[list[Any], list[Any]]:
    values = np.array([at_epochs(curve, name, epochs) for curve in curves], dtype=float)  # None becomes NaN
    factor = 100 if name.endswith("accuracy") else 1
    mean = values.mean(axis=0)
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros_like(mean)
    shown = [[None if math.isnan(v) else factor * v for v in row] for row in (mean, spread)]
    return list(map(_rounded, shown[0])), [None if v is None else float(f"{v:.4g}") for v in shown[1]]


def _drawn(curve: Curve, name: str, epochs: list[int]) -> list[float | None]:
    factor = 100 if name.endswith("accuracy") else 1
    return [None if value is None else _rounded(factor * value) for value in at_epochs(curve, name, epochs)]


def _rounded(value: float | None) -> float | None:
    """A value with five digits, more than a screen shows."""
    return None if value is None else float(f"{value:.5g}")
