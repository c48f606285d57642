"""Figures for a paper, as PNG and SVG: learning curves, final accuracy by seed, accuracy under label noise."""

import io
import math
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sweeper.aggregate.statistics import mean, standard_deviation
from sweeper.aggregate.tables import BEST
from sweeper.aggregate.tasks import Setting, Task
from sweeper.report.charts import Curves, color_of, noise_charts
from sweeper.report.curves import at_epochs
from sweeper.runs.status import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours of Okabe and Ito, which people with any colour vision can distinguish, and more from the page.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a5a00", "#c2182b", "#6f4fbf")
PANEL = (3.3, 2.5)  # inches; two panels are as wide as a page's text
EARLY = 0.1  # share of the first epochs that the curves' axis ignores: their steep rise would squeeze the rest
RARE = 0.02  # share of the lowest later points, such as single dips, that the axis ignores, too
STYLE: Any = {  # matplotlib's type lists every possible key
    "font.size": 8,
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "errorbar.capsize": 2,
    "legend.frameon": False,
    "svg.fonttype": "none",  # keep texts as texts
    "svg.hashsalt": "sweeper",  # the same runs give the same file
    "text.parse_math": False,  # a name may contain a dollar sign
}


def draw_figures(tasks: Sequence[Task], curves: Curves) -> Iterator[tuple[str, bytes]]:
    """Yield file names and contents: each figure as PNG with 300 dpi and as SVG; none without completed runs.

    Lines and error bars are mean ± standard deviation over the completed seeds of the settings that the page compares.
    """
    import matplotlib

    done = [task for task in tasks if any(setting.final() for setting in task.compared)]
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # no font has all characters
        if done:
            yield from _files("curves", _curves(done, curves))
            yield from _files("seeds", _seeds(done))
        if charts := noise_charts(tasks, curves):
            yield from _files("noise", _noise(charts))


def _curves(tasks: Sequence[Task], curves: Curves) -> "Figure":
    figure, panels = _panels(len(tasks))
    colors = color_of(tasks)
    for axes, task in zip(panels, tasks, strict=True):
        late: list[float] = []
        for setting in sorted(task.compared, key=lambda setting: setting.optimizer):
            color = COLORS[colors[setting.optimizer] % len(COLORS)]
            epochs, middle, spread = _test_accuracy(setting, curves)
            if epochs:
                axes.plot(epochs, middle, color=color, label=_label(setting.label))
                low, high = ([m + sign * s for m, s in zip(middle, spread, strict=True)] for sign in (-1, 1))
                axes.fill_between(epochs, low, high, color=color, alpha=0.18, linewidth=0)
                after = sorted(low[k] for k, epoch in enumerate(epochs) if epoch > EARLY * epochs[-1])
                late += after[int(RARE * len(after)) :]
        axes.set(title=_title(task.label), xlabel="epoch", ylabel="test accuracy (%)")
        if late:
            axes.set_ylim(bottom=max(0.0, min(late) - 0.05 * (100 - min(late))))
        _legend(axes)
    return figure


def _test_accuracy(setting: Setting, curves: Curves) -> tuple[list[int], list[float], list[float]]:
    """Epochs that all completed seeds have, and of them mean and deviation in percent; 0 for the deviation of one."""
    completed = [curves[run.path] for run in setting.runs if run.status is Status.COMPLETED and curves[run.path]]
    every = sorted({int(epoch) for curve in completed for epoch in curve["epoch"] if epoch is not None})
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
    figure, panels = _panels(len(tasks))
    colors = color_of(tasks)
    for axes, task in zip(panels, tasks, strict=True):
        shown = [setting for setting in task.compared if setting.final()]
        for place, setting in enumerate(shown):
            color = COLORS[colors[setting.optimizer] % len(COLORS)]
            final = [100 * value for value in setting.final().values()]
            seeds = setting.final().keys()
            best = [100 * run.values["best_test_accuracy"] for run in setting.runs if run.values["seed"] in seeds]
            axes.plot([place - 0.12] * len(final), final, "o", color=color)
            axes.plot([place + 0.12] * len(best), best, "o", color=color, markerfacecolor="none")
            axes.hlines(mean(final), place - 0.3, place + 0.06, color=color, linewidth=1)
        axes.set_xticks(range(len(shown)), [_label(setting.label, 16) for setting in shown], rotation=30, ha="right")
        axes.set(title=_title(task.label), ylabel=f"accuracy (%): ● final\n○ {BEST}")
    return figure


def _noise(charts: Sequence[dict[str, Any]]) -> "Figure":
    figure, panels = _panels(len(charts))
    for axes, chart in zip(panels, charts, strict=True):
        for one in chart["series"]:
            color = COLORS[one["color"] % len(COLORS)]
            axes.errorbar(one["x"], one["y"], one["error"], color=color, marker="o", label=_label(one["name"]))
        kind, _, figure_name = chart["title"].rpartition(": ")
        axes.set(title=_title(kind), xlabel="wrong labels (%)", ylabel=f"{figure_name} (%)")
        axes.set_xlim(left=-0.05 * max(x for one in chart["series"] for x in one["x"]))
        _legend(axes)
    return figure


def _panels(count: int) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    columns = min(count, 2)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(PANEL[0] * columns, PANEL[1] * rows), layout="constrained")
    axes = [figure.add_subplot(rows, columns, k + 1) for k in range(count)]
    return figure, axes


def _legend(axes: "Axes") -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7)


def _title(text: str) -> str:
    return "\n".join(textwrap.wrap(_label(text, 96), 50))


def _label(text: str, longest: int = 48) -> str:
    """A text for a title or legend; matplotlib leaves out those that begin with an underscore."""
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return f" {text}" if text.startswith("_") else text


def _files(name: str, figure: "Figure") -> Iterator[tuple[str, bytes]]:
    for form in ("png", "svg"):
        file = io.BytesIO()
        figure.savefig(file, format=form, dpi=300, metadata={"Date": None} if form == "svg" else None)
        yield f"{name}.{form}", file.getvalue()
