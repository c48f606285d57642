"""Figures for a paper, as PNG, SVG and PDF: learning curves, final accuracy by seed, accuracy under label noise."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.aggregate.paper import shown_tasks
from sweeper.aggregate.statistics import mean, standard_deviation
from sweeper.aggregate.tables import BEST
from sweeper.aggregate.tasks import Setting, Task
from sweeper.report.charts import JITTER, NEAR, Curves, looks_of, noise_charts
from sweeper.report.curves import at_epochs, epochs_of
from sweeper.report.drawing import FORMS, STYLE, files, label, legend, line_style, panels, title
from sweeper.report.jitter import levels
from sweeper.report.paper_figures import critical_difference_figure, forest_figure, lengths_figure, time_figure
from sweeper.report.tuning import tuning_charts
from sweeper.report.tuning_figures import expected_best_figure, map_figure
from sweeper.runs.status import Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ("curves", "seeds", "noise", "forest", "lengths", "time", "critical_difference", "tuning", "expected_best")
EARLY = 0.1  # share of the first epochs that the curves' axis ignores: their steep rise would squeeze the rest
RARE = 0.02  # share of the later epochs whose bands reach farthest down, or up, that it ignores: single dips


def draw_figures(tasks: Sequence[Task], curves: Curves) -> Iterator[tuple[str, bytes]]:
    """Yield file names and contents: each figure as PNG with 300 dpi, as SVG and as PDF; none without completed runs.

    Lines and error bars are mean ± standard deviation over the completed seeds of the settings that the page compares.
    """
    import matplotlib

    done = [task for task in tasks if any(setting.final() for setting in task.compared)]
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # whatever a matplotlibrc of the user's, or of the working folder, says
        matplotlib.rcParams.update(STYLE)
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # no font has all characters
        if done:
            yield from files("curves", _curves(done, curves))
            yield from files("seeds", _seeds(done))
        if charts := noise_charts(tasks, curves):
            yield from files("noise", _noise(charts))
        tuned, shown = tuning_charts(tasks), shown_tasks(tasks)
        more = {
            "forest": forest_figure(shown),
            "lengths": lengths_figure(shown),
            "time": time_figure(shown),
            "critical_difference": critical_difference_figure(shown),
            "tuning": map_figure(tuned),
            "expected_best": expected_best_figure(tuned),
        }
        for name, figure in more.items():
            if figure is not None:
                yield from files(name, figure)


def older_figures(folder: Path, written: Sequence[Path]) -> list[Path]:
    """Figures that an earlier report has drawn into a folder and the files just written don't replace."""
    names = (folder / f"{name}.{form}" for name in NAMES for form in FORMS)
    return [path for path in names if path.is_file() and path not in written]


def _curves(tasks: Sequence[Task], curves: Curves) -> "Figure":
    figure, places = panels(len(tasks))
    of_optimizer = looks_of(tasks)
    for axes, task in zip(places, tasks, strict=True):
        bottom, top, highest = 100.0, 0.0, 0.0  # of the late bands, and of all means
        for setting in sorted(task.compared, key=lambda setting: setting.optimizer):
            style = line_style(of_optimizer[setting.optimizer], mark=False)
            epochs, middle, spread = _test_accuracy(setting, curves)
            if epochs:
                axes.plot(epochs, middle, label=label(setting.label), **style)
                ends = ([m + sign * s for m, s in zip(middle, spread, strict=True)] for sign in (-1, 1))
                low, high = ([min(100.0, max(0.0, end)) for end in side] for side in ends)
                highest = max(highest, *middle)
                axes.fill_between(epochs, low, high, color=style["color"], alpha=0.18, linewidth=0)
                late = [k for k, epoch in enumerate(epochs) if epoch > EARLY * epochs[-1]]
                rare = int(RARE * len(late))
                bottom = min(bottom, sorted(low[k] for k in late)[rare])
                top = max(top, sorted((high[k] for k in late), reverse=True)[rare])
        axes.set(title=title(task.label), xlabel="epoch", ylabel="test accuracy (%)")
        if axes.lines:
            room = 0.05 * (100 - bottom)
            axes.set_ylim(max(0.0, bottom - room), max(highest + room, min(100.0, top + room)))
        legend(axes)
    return figure


def _test_accuracy(setting: Setting, curves: Curves) -> tuple[list[int], list[float], list[float]]:
    """Epochs that all completed seeds have, and of them mean and deviation in percent; 0 for the deviation of one."""
    completed = [curves[run.path] for run in setting.runs if run.status is Status.COMPLETED and curves[run.path]]
    every = sorted({epoch for curve in completed for epoch in epochs_of(curve)})
    columns = [at_epochs(curve, "test_accuracy", every) for curve in completed]
    epochs: list[int] = []
    means: list[float] = []
    deviations: list[float] = []
    for epoch, values in zip(every, zip(*columns, strict=True), strict=True):
        known = [100 * value for value in values if value is not None]
        if len(known) == len(completed):
            epochs.append(epoch)
            means.append(mean(known))
            deviations.append(standard_deviation(known) if len(known) > 1 else 0.0)
    return epochs, means, deviations


def _seeds(tasks: Sequence[Task]) -> "Figure":
    figure, places = panels(len(tasks))
    of_optimizer = looks_of(tasks)
    for axes, task in zip(places, tasks, strict=True):
        shown = [setting for setting in task.compared if setting.final()]
        every = [value for setting in shown for value in (*_finals(setting), *_bests(setting))]
        near = NEAR * (max(every) - min(every)) or 1e-9
        for place, setting in enumerate(shown):
            style = line_style(of_optimizer[setting.optimizer]) | {"linestyle": "none"}
            final, best = _finals(setting), _bests(setting)
            axes.plot([place - 0.14 + JITTER * k for k in levels(final, near)], final, **style)
            axes.plot([place + 0.14 + JITTER * k for k in levels(best, near)], best, markerfacecolor="none", **style)
            axes.hlines(mean(final), place - 0.3, place + 0.06, color=style["color"], linewidth=1)
        axes.set_xticks(range(len(shown)), [label(setting.label, 16) for setting in shown], rotation=30, ha="right")
        few = min(0.0, (len(shown) - 3) / 2)  # one or two stand as near as of three
        axes.set_xlim(few - 0.5, len(shown) - 0.5 - few)
        axes.set(title=title(task.label), ylabel=f"accuracy (%): ● final\n○ {BEST}")
    return figure


def _finals(setting: Setting) -> list[float]:
    return [100 * value for value in setting.final().values()]


def _bests(setting: Setting) -> list[float]:
    return [100 * run.values["best_test_accuracy"] for run in setting.runs if run.values["seed"] in setting.final()]


def _noise(charts: Sequence[dict[str, Any]]) -> "Figure":
    figure, places = panels(len(charts))
    for axes, chart in zip(places, charts, strict=True):
        for one in chart["series"]:
            axes.errorbar(one["x"], one["y"], one["error"], label=label(one["name"]), **line_style(one["look"]))
        kind, _, figure_name = chart["title"].rpartition(": ")
        axes.set(title=title(kind), xlabel="wrong labels (%)", ylabel=f"{figure_name} (%)")
        axes.set_xlim(left=-0.05 * max(x for one in chart["series"] for x in one["x"]))
        legend(axes)
    return figure
