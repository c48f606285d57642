"""The data of the page's charts, which the page's script draws. Accuracies are in percent."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sweeper.aggregate.labels import is_clean, kind_of, noise_words, texts
from sweeper.aggregate.robustness import but_for_labels
from sweeper.aggregate.statistics import mean, standard_deviation
from sweeper.aggregate.tables import BEST
from sweeper.aggregate.tasks import Setting, Task, epochs_words, independent
from sweeper.report.curves import Curve
from sweeper.report.jitter import levels
from sweeper.report.looks import Look, looks
from sweeper.report.profiles import performance_profile, performance_ratios, profile_score, time_to_target
from sweeper.runs.rows import Run
from sweeper.runs.status import Status

Chart = dict[str, Any]  # `title`, `x` and `y` (axes), `series`; see template/charts.js
Curves = Mapping[str, Curve]  # by the run's path

NEAR = 0.025  # of a chart's range: points closer than this would hide each other
JITTER = 0.06  # of the distance between two optimizers, by which such points are moved aside
REACH = 0.3  # the farthest, in the same unit


def looks_of(tasks: Sequence[Task]) -> dict[str, Look]:
    """How each optimizer of these tasks looks, in all charts alike."""
    return looks(setting.optimizer for task in tasks for setting in task.settings)


def seed_charts(tasks: Sequence[Task]) -> list[Chart]:
    """For each task the final and best test accuracy of every completed run, and the mean of the final ones."""
    return [_seed_chart(task, looks_of(tasks)) for task in tasks]


def noise_charts(tasks: Sequence[Task], curves: Curves) -> list[Chart]:
    """Accuracy against the noise rate, for each kind of noise that was run at two rates or more. Human labels are left
    out, since their rate isn't in the configuration.

    There are three charts per kind: the final test accuracy and, at the last epoch, the accuracy on training images
    with right labels and the share of wrong labels learnt.
    """
    charts = []
    of_optimizer = looks_of(tasks)
    for name, series in _noise_series(tasks).items():
        for figure, title in NOISE_FIGURES.items():
            drawn = []
            for optimizer, by_rate in sorted(series.items()):
                points = [(rate, _last_figures(setting, figure, curves)) for rate, setting in sorted(by_rate.items())]
                points = [(rate, values) for rate, values in points if values]
                drawn.append(_spread(optimizer, of_optimizer[optimizer], points))
            if any(len(one["x"]) > 1 or figure != "final_test_accuracy" for one in drawn if one["x"]):
                x = {"title": "wrong labels, %", "from_zero": True}
                charts.append({"title": f"{name}: {title}", "x": x, "y": {"title": "%"}, "series": drawn})
    return charts


NOISE_FIGURES = {
    "final_test_accuracy": "final test accuracy",
    "clean_train_accuracy": "training accuracy, right labels",
    "corrupted_train_accuracy": "wrong training labels learnt",
}


def lr_charts(tasks: Sequence[Task]) -> list[Chart]:
    """Final test accuracy against the learning rate, for each task where an optimizer was run with two rates or more.

    If a rate has several settings, e.g. of weight decay, their highest mean is shown.
    """
    charts = []
    of_optimizer = looks_of(tasks)
    for task in tasks:
        by_optimizer: dict[str, dict[float, list[Setting]]] = {}
        for setting in task.settings:
            if setting.row["lr"] and setting.scores():
                by_optimizer.setdefault(setting.optimizer, {}).setdefault(setting.row["lr"], []).append(setting)
        several = {name: rates for name, rates in by_optimizer.items() if len(rates) > 1}
        if several:
            drawn = []
            for name, rates in several.items():
                best = {lr: max((list(s.final().values()) for s in group), key=mean) for lr, group in _done(rates)}
                drawn.append(_spread(name, of_optimizer[name], [(lr, best[lr]) for lr in sorted(best)]))
            rates_drawn = sorted({lr for one in drawn for lr in one["x"]})
            x = {"title": "lr", "log": True, "ticks": rates_drawn if len(rates_drawn) <= 8 else None}
            if any(len(one["x"]) > 1 for one in drawn):
                y = {"title": "final test accuracy, %"}
                charts.append({"title": task.label, "x": x, "y": y, "series": drawn})
    return charts


def profile_tables(tasks: Sequence[Task]) -> dict[str, Any] | None:
    """Steps to the target on each task that has one, and the performance profile over these; None without targets.

    It includes only optimizers that were run on all of these tasks; `left_out` names the others.
    """
    aimed = [task for task in independent(tasks) if task.target() is not None and task.compared]
    if not aimed:
        return None
    of_optimizer = looks_of(tasks)
    times = {name: [_time(task, name) for task in aimed] for name in sorted(of_optimizer)}
    names = [name for name, row in times.items() if None not in row]
    if not names:
        return None
    ratios = performance_ratios([[t for t in times[name] if t is not None] for name in names])
    series = []
    for name, row in zip(names, ratios, strict=True):
        tau, solved = performance_profile(row.tolist())
        look = of_optimizer[name].indices()
        series.append({"name": name, "look": look, "x": tau, "y": [100 * s for s in solved], "step": True})
    left_out = [name for name, row in times.items() if None in row and any(t is not None for t in row)]
    axes = {"x": {"title": "times the fastest optimizer's steps"}, "y": {"title": "tasks solved, %", "from_zero": True}}
    return {
        "chart": {"title": "", **axes, "series": series},
        "kind": kind_of(s.arm for task in aimed for s in task.settings if s.optimizer in names),
        "tasks": [(task.label, task.target()) for task in aimed],
        "rows": [
            (name, [times[name][k] for k in range(len(aimed))], profile_score(row.tolist()))
            for name, row in zip(names, ratios, strict=True)
        ],
        "left_out": left_out,
    }


def _time(task: Task, optimizer: str) -> float | None:
    """The steps to the task's target of an optimizer's compared setting."""
    if (setting := task.setting_of(optimizer)) is None:
        return None
    return time_to_target([_steps(run) for run in setting.runs if run.status.finished])


def _steps(run: Run) -> float:
    """A finished run's steps to the target; infinite if it diverged, though its record may tell a time before that."""
    steps: float | None = run.values["steps_to_target"]
    return math.inf if steps is None or run.status is Status.DIVERGED else steps


def _done(rates: dict[float, list[Setting]]) -> list[tuple[float, list[Setting]]]:
    done = [(lr, [s for s in group if s.final() and not s.diverged()]) for lr, group in rates.items()]
    return [(lr, group) for lr, group in done if group]


def _seed_chart(task: Task, of_optimizer: Mapping[str, Look]) -> Chart:
    series: list[dict[str, Any]] = []
    for place, setting in enumerate(task.compared):
        look, seeds = of_optimizer[setting.optimizer].indices(), setting.final()
        rows = [run.values for run in setting.runs if run.values["seed"] in seeds]
        for figure, beside in (("final", -0.14), ("best", 0.14)):
            words = BEST if figure == "best" else figure
            values = [100 * row[f"{figure}_test_accuracy"] for row in rows]
            texts = [f"seed {row['seed']}" for row in rows]
            one = {"name": f"{setting.optimizer}: {words}", "toggle": setting.optimizer, "look": look, "text": texts}
            drawn = {"x": [place + beside] * len(values), "y": values, "points": True, "open": figure == "best"}
            series.append({**one, **drawn})
    _move_apart(series)
    x = {"ticks": list(range(len(task.compared))), "labels": [setting.label for setting in task.compared]}
    y = {"title": "test accuracy, %"}
    return {"title": task.label, "x": x, "y": y, "series": series, "legend": False}


def _move_apart(series: Sequence[dict[str, Any]]) -> None:
    """Move points aside that others of their series would hide."""
    values = [value for one in series for value in one["y"]]
    near = NEAR * (max(values, default=0.0) - min(values, default=0.0)) or 1e-9
    for one in series:
        apart = levels(one["y"], near)
        step = min(JITTER, REACH / max((abs(level) for level in apart if level), default=1))
        one["x"] = [x + step * level for x, level in zip(one["x"], apart, strict=True)]


def _noise_series(tasks: Sequence[Task]) -> dict[str, dict[str, dict[float, Setting]]]:
    """Each optimizer's compared setting at each rate, by the kind of noise and everything else that tasks share."""
    clean = [task for task in tasks if is_clean(task.config["noise"])]
    found: dict[str, dict[str, dict[float, Setting]]] = {}
    keys: dict[str, str] = {}
    for task in tasks:
        noise = task.config["noise"]
        if not noise.get("rate"):
            continue
        others = but_for_labels(task)
        options = {k: v for k, v in texts(noise).items() if k != "rate"}
        key = repr((sorted(options.items()), others))
        name = keys.setdefault(key, _chart_name(task, list(keys.values())))
        series = found.setdefault(name, {})
        for one in [task, *(c for c in clean if but_for_labels(c) == others)]:
            for setting in one.compared:
                rates = series.setdefault(setting.optimizer, {})
                rates[100 * (one.config["noise"].get("rate") or 0)] = setting
    return {n: s for n, s in found.items() if len({rate for rates in s.values() for rate in rates}) > 1}


def _chart_name(task: Task, taken: list[str]) -> str:
    config = task.config
    apart = task.label.partition(noise_words(config["noise"]))[2].removeprefix(f", {epochs_words(task)}")
    name = f"{config['dataset']['name']}, {config['model']['name']}, {config['noise']['name']} noise{apart}"
    return name if name not in taken else f"{name}, {epochs_words(task)} ({len(taken) + 1})"


def _last_figures(setting: Setting, figure: str, curves: Curves) -> list[float]:
    if figure == "final_test_accuracy":
        return list(setting.final().values())
    found = []
    clean = is_clean(setting.config["noise"])
    for run in setting.runs:
        # Without noise all labels are right.
        name = "train_accuracy" if figure == "clean_train_accuracy" and clean else figure
        column = curves[run.path].get(name)
        if run.status is Status.COMPLETED and column and column[-1] is not None:
            found.append(column[-1])
    return found


def _spread(name: str, look: Look, points: list[tuple[float, list[float]]]) -> dict[str, Any]:
    """Means with their standard deviations; `error` is 0 for a single value."""
    deviations = [standard_deviation(values) for _, values in points]
    return {
        "name": name,
        "look": look.indices(),
        "x": [x for x, _ in points],
        "y": [100 * mean(values) for _, values in points],
        "error": [0 if math.isnan(deviation) else 100 * deviation for deviation in deviations],
        "text": [f"n = {len(values)}" for _, values in points],
    }
