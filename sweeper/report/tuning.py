"""Tuning made visible: a map of each optimizer's trials, the expected best by number of trials, and a table."""

import math
from collections.abc import Sequence
from typing import Any

from sweeper.aggregate.search import searches
from sweeper.aggregate.tasks import Task, task_title
from sweeper.aggregate.tuning import (
    Tuning,
    budget_words,
    chosen_words,
    edge_words,
    map_axes,
    place_words,
    space_words,
    tunings,
    where_words,
)
from sweeper.report.charts import Chart, looks_of
from sweeper.report.looks import Look
from sweeper.report.tables import Cell, Line, PageTable
from sweeper.runs.checks import is_number

MOST_TICKS = 8  # an axis of more different values has round ticks
SPAN = 10.0  # points below the best trial at which the colours of a map end
NOTE = (
    "Map: every trial by its validation accuracy in percent. The ring is the chosen one, a cross diverged, a small "
    f"mark was pruned. Colours end {SPAN:g} points below the best. Expected best: the mean highest accuracy of so many "
    "of these trials, drawn at random with replacement (arXiv 1909.03004). A diverged trial counts 0, a pruned one its "
    "best so far. Where a search proposed trials by earlier ones, the curve describes them and forecasts nothing."
)


def tuning_charts(tasks: Sequence[Task]) -> list[Chart]:
    """For each search the maps of learning rate × weight decay and the expected best by number of trials."""
    charts = []
    of_optimizer = looks_of(tasks)
    several = len(searches(tasks)) > 1
    for task in searches(tasks):
        found = tunings(task)
        where = f"{task_title(task)}: " if several else ""
        charts += [chart for one in found if (chart := _map(one, where))]
        drawn = [_expected(one, of_optimizer[one.optimizer]) for one in found]
        if drawn:
            axes = {"x": {"title": "trials"}, "y": {"title": "expected best validation accuracy, %"}}
            charts.append({"title": f"{where}expected best by number of trials", **axes, "series": drawn})
    return charts


def tuning_table(tasks: Sequence[Task]) -> PageTable:
    """A row for each optimizer of each search: space, budget, choice, edge."""
    found = [(task, one) for task in searches(tasks) for one in tunings(task)]
    several = len({task.label for task, _ in found}) > 1
    header = ["optimizer", "chosen", "validation, %", "on the edge?", "within half a point", "tried", "budget"]
    table = PageTable([*header, *["search"] * several])
    for task, one in found:
        cells = [
            Cell(one.optimizer),
            Cell(chosen_words(one), kind="wide"),
            Cell(f"{100 * one.chosen.accuracy:.2f}", one.chosen.accuracy, "number"),
            Cell(edge_words(one), kind="wide"),
            Cell(f"{len(one.near)} of {len(one.trials)}", len(one.near), "number"),
            Cell(space_words(one), kind="wide"),
            Cell(budget_words(one), one.epochs),
            *[Cell(task_title(task))] * several,
        ]
        table.rows.append(Line(cells))
    return table


def _map(one: Tuning, where: str) -> Chart | None:
    """None unless learning rate and weight decay, or their product, were searched as numbers."""
    names = map_axes(one)
    placed = [trial for trial in one.trials if all(is_number(trial.place.get(name)) for name in names)]
    axes = [{trial.place[name] for trial in placed} for name in names]
    if one.chosen not in placed or any(len(values) < 2 for values in axes):
        return None
    grid = 2 * len(placed) >= math.prod(map(len, axes))  # or drawn from intervals: then marks are small
    large, small = (26, 11) if grid else (12, 7)
    series = []
    for ended, symbol, size in (("completed", "square", large), ("pruned", "square", small), ("diverged", "x", small)):
        trials = [trial for trial in placed if trial.ended == ended]
        drawn: dict[str, Any] = {"name": ended, "symbol": symbol, "size": size}
        drawn |= {axis: [t.place[name] for t in trials] for axis, name in zip("xy", names, strict=True)}
        drawn["text"] = ["diverged" if t.ended == "diverged" else f"{100 * t.accuracy:.2f} %" for t in trials]
        if ended != "diverged":
            drawn["heat"] = [100 * t.accuracy for t in trials]
        series.append(drawn)
    place = {axis: [one.chosen.place[name]] for axis, name in zip("xy", names, strict=True)}
    ring = {"symbol": "ring", "size": 20 if grid else 16}
    series.append({"name": "chosen", **place, **ring, "text": [f"chosen: {100 * one.chosen.accuracy:.2f} %"]})
    top = max(value for drawn in series for value in drawn.get("heat", [0]))
    low = min(value for drawn in series for value in drawn.get("heat", [100]))
    return {
        "title": f"{where}{one.optimizer}: chosen {place_words(one)}; {where_words(one)}",
        **{axis: _axis(name, values) for axis, name, values in zip("xy", names, axes, strict=True)},
        "series": series,
        "legend": False,
        "grid": grid,
        "heat": [max(low, top - SPAN), top],
    }


def _axis(name: str, values: set[float]) -> dict[str, Any]:
    """Logarithmic, unless a value is 0."""
    ticks = sorted(values) if len(values) <= MOST_TICKS else None
    return {"title": name, "ticks": ticks, **({"log": True} if min(values) > 0 else {})}


def _expected(one: Tuning, look: Look) -> dict[str, Any]:
    values = [100 * value for value in one.expected()]
    return {"name": one.optimizer, "look": look.indices(), "x": list(range(1, len(values) + 1)), "y": values}
