"""Figures of what is compared: a forest plot of intervals, accuracy by length, a critical-difference diagram."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sweeper.aggregate.comparisons import Difference
from sweeper.aggregate.critical_difference import RankComparison, compare_tasks
from sweeper.aggregate.labels import BY_ARM, task_labels
from sweeper.aggregate.statistics import mean, standard_deviation
from sweeper.aggregate.tasks import Setting, Task, task_title
from sweeper.report.charts import looks_of
from sweeper.report.curves import comparable_seconds
from sweeper.report.drawing import PANEL, center_titles, label, line_style, log_scale, panels, title
from sweeper.runs.status import Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PAIRS = 45  # of a task that are drawn; of more, only those with the first
ROW = 0.16  # inches for a pair
CLEAR, OPEN = "#000000", "#777777"  # the first is better, and not


def forest_figure(tasks: Sequence[Task]) -> "Figure | None":
    """Every pair's difference with its simultaneous 95 % interval; None without intervals."""
    shown = [(task, found) for task in tasks if (found := _pairs(task))]
    if not shown:
        return None
    most = max(len(found) for _, found in shown)
    figure, places = panels(len(shown), 0.95 + ROW * most)
    for axes, (task, found) in zip(places, shown, strict=True):
        for place, d in enumerate(found):
            middle, low, high = (100 * value for value in (d.difference, d.low, d.high))
            better = task.comparison.order.is_better(d.a, d.b)
            shade, face = (CLEAR, CLEAR) if better else (OPEN, "white")
            axes.hlines(place, low, high, color=shade)
            axes.plot([middle], [place], "o", color=shade, markerfacecolor=face)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(found)), [f"{_name(task, d.a)} − {_name(task, d.b)}" for d in found])
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set(
            title=title(task_title(task), 36),
            xlabel=f"difference (points){'; †: a seed diverged' * bool(task.comparison.diverged)}",
        )
    center_titles(figure, places)
    return figure


def lengths_figure(tasks: Sequence[Task]) -> "Figure | None":
    """Final accuracy against the epochs of training, of tasks that are alike in all else; None without such."""
    return _by_length(_groups(tasks), tasks, seconds=False)


def time_figure(tasks: Sequence[Task]) -> "Figure | None":
    """The same against the seconds of training, where these are comparable; a run that shared its device isn't."""
    return _by_length([group for group in _groups(tasks) if _comparable(group)], tasks, seconds=True)


def _groups(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks that differ in nothing but their length, the shortest first; of each two lengths or more."""
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        if task.config["epochs"] != BY_ARM and any(setting.final() for setting in task.compared):
            groups.setdefault(json.dumps(_without_length(task), sort_keys=True), []).append(task)
    found = [sorted(group, key=lambda task: task.config["epochs"]) for group in groups.values()]
    return [group for group in found if len({task.config["epochs"] for task in group}) > 1]


def _comparable(group: Sequence[Task]) -> bool:
    runs = [run for task in group for setting in task.compared for run in setting.runs if run.status.finished]
    known = all(run.values.get("train_seconds") is not None for run in runs)
    return known and not comparable_seconds(runs)


def _by_length(groups: Sequence[Sequence[Task]], tasks: Sequence[Task], seconds: bool) -> "Figure | None":
    if not groups:
        return None
    figure, places = panels(len(groups))
    of_optimizer = looks_of(tasks)
    labels = task_labels([{**group[0].config, "epochs": 1} for group in groups])
    for axes, group, words in zip(places, groups, labels, strict=True):
        lengths = [task.config["epochs"] for task in group]
        for name in sorted({s.optimizer for task in group for s in task.compared}):
            chosen = [(task, s) for task in group for s in task.compared if s.optimizer == name and s.final()]
            finals = [[100 * value for value in setting.final().values()] for _, setting in chosen]
            spreads = [standard_deviation(values) if len(values) > 1 else 0.0 for values in finals]
            at = [_seconds(setting) if seconds else task.config["epochs"] for task, setting in chosen]
            shown: dict[str, Any] = {"label": label(name), **line_style(of_optimizer[name])}
            axes.errorbar(at, [mean(values) for values in finals], spreads, **shown)
        if not seconds:
            log_scale(axes, "x", lengths)
        x = f"seconds of training, {lengths[0]} to {lengths[-1]} epochs" if seconds else "epochs of training"
        axes.set(title=title(words), xlabel=x, ylabel="final test accuracy (%)")
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))  # beside the lines, not over them
    return figure


def _seconds(setting: Setting) -> float:
    return mean([run.values["train_seconds"] for run in setting.runs if run.status is Status.COMPLETED])


def critical_difference_figure(tasks: Sequence[Task]) -> "Figure | None":
    """The diagram of Demšar 2006; None with too few tasks, see `compare_tasks`."""
    found = compare_tasks(tasks)
    return None if found is None else _diagram(found)


def _diagram(found: RankComparison) -> "Figure":
    """An axis of mean ranks, the best at the left; names in two columns; a bar joins those that don't differ."""
    names, half = list(found.ranks), (len(found.ranks) + 1) // 2
    groups = found.groups
    depth = 0.3 * (len(groups) + 1)
    figure, (axes,) = panels(1, 1.4 + 0.22 * half + 0.12 * len(groups), 2 * PANEL[0])
    k = len(names)
    axes.set(xlim=(0.2, k + 0.8), ylim=(depth + 0.5 * half + 0.3, -2.2))
    axes.axis("off")
    axes.hlines(0, 1, k, color="black")
    for tick in range(1, k + 1):
        axes.vlines(tick, -0.15, 0, color="black")
        axes.text(tick, -0.25, str(tick), ha="center", va="bottom")
    axes.hlines(-1.1, 1, 1 + found.critical, color="black", linewidth=1.6)
    words = f"critical difference {found.critical:.2f} (Nemenyi, 5 %); {found.tasks} tasks, Friedman's p {_p(found.p)}"
    axes.text(1, -1.35, words, va="bottom")
    for place, (name, rank) in enumerate(found.ranks.items()):
        left = place < half
        end = 0.85 if left else k + 0.15
        below = depth + 0.5 * (place if left else k - 1 - place) + 0.2
        axes.plot([rank, rank, end], [0, below, below], color="black", linewidth=0.8)
        told = f"{label(name, 24)} ({rank:.2f})"
        axes.text(end - 0.05 if left else end + 0.05, below, told, ha="right" if left else "left", va="center")
    for place, group in enumerate(groups, 1):
        ends = found.ranks[group[0]] - 0.05, found.ranks[group[-1]] + 0.05
        axes.hlines(0.3 * place, *ends, color="black", linewidth=2.6)
    return figure


def _name(task: Task, optimizer: str) -> str:
    return label(optimizer, 16) + "†" * (optimizer in task.comparison.diverged)


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"


def _pairs(task: Task) -> list[Difference]:
    found = [d for d in task.comparison.differences if d.has_interval and task.chosen_by != "test"]
    if len(found) <= MOST_PAIRS:
        return found
    first = task.comparison.methods[0]
    return [d for d in found if first in (d.a, d.b)]


def _without_length(task: Task) -> dict[str, object]:
    apart = {"noun": task.noun, "tuned": bool(task.tuned)}
    return {name: value for name, value in task.config.items() if name != "epochs"} | apart
