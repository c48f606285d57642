"""Figures of the tuning: the maps, and the expected best by number of trials."""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sweeper.report.charts import Chart
from sweeper.report.drawing import label, line_style, log_scale, panels, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERS = 50  # trials of a map that have their accuracy written in them
GAP = 0.08  # between the cells of a grid's map, of the distance of their centers
MOST_LEVEL = 3  # learning rates below a map that have room beside each other; more are slanted


def map_figure(charts: Sequence[Chart]) -> "Figure | None":
    """Of the charts of `tuning_charts` those that are maps; None without such."""
    maps = [chart for chart in charts if "heat" in chart]
    if not maps:
        return None
    figure, places = panels(len(maps))
    for axes, chart in zip(places, maps, strict=True):
        _draw_map(axes, chart)
    return figure


def expected_best_figure(charts: Sequence[Chart]) -> "Figure | None":
    curves = [chart for chart in charts if "heat" not in chart]
    if not curves:
        return None
    figure, places = panels(len(curves))
    for axes, chart in zip(places, curves, strict=True):
        for one in chart["series"]:
            axes.plot(one["x"], one["y"], label=label(one["name"]), **line_style(one["look"]))
        axes.set(title=title(chart["title"]), xlabel="trials", ylabel="expected best validation\naccuracy (%)")
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))  # the curves fill the panel
    return figure


def _draw_map(axes: "Axes", chart: Chart) -> None:
    for name, side in (("x", axes.xaxis), ("y", axes.yaxis)):
        given = chart[name]
        if given.get("log"):
            log_scale(axes, name, given["ticks"])
        elif given["ticks"]:
            side.set_ticks(given["ticks"], [f"{tick:.3g}" for tick in given["ticks"]])
    if len(chart["x"]["ticks"] or ()) > MOST_LEVEL:
        axes.tick_params("x", labelrotation=30)
    low, high = chart["heat"]
    numbered = chart["grid"] and sum(len(one["x"]) for one in chart["series"]) <= MOST_NUMBERS
    for one in chart["series"]:
        x, y, size = one["x"], one["y"], one["size"] ** 2
        if "heat" in one:
            if chart["grid"]:
                _draw_cells(axes, chart, one)
            else:
                axes.scatter(x, y, size, one["heat"], marker="s", cmap="viridis", vmin=low, vmax=high)
            for left, up, value in zip(x, y, one["heat"], strict=True):
                if numbered and one["name"] == "completed":
                    ink = "white" if value < (low + high) / 2 else "black"
                    axes.text(left, up, f"{value:.1f}", ha="center", va="center", color=ink, fontsize=6)
        elif one["symbol"] == "x":
            axes.scatter(x, y, size / 3, "#c2182b", marker="x")
        else:
            ring: dict[str, Any] = {"facecolors": "none", "edgecolors": "#d55e00", "linewidths": 1.4}
            axes.scatter(x, y, (0.9 * one["size"]) ** 2, marker="o", zorder=3, **ring)
    axes.margins(0.1 if chart["grid"] else 0.3)
    axes.grid(visible=False)
    axes.set(title=title(chart["title"], 44), xlabel=chart["x"]["title"], ylabel=chart["y"]["title"])


def _draw_cells(axes: "Axes", chart: Chart, one: dict[str, Any]) -> None:
    """A rectangle for each trial of a grid, as large as the distance of its values allows; small ones ended early."""
    from matplotlib.collections import PolyCollection

    part = one["size"] / max(series["size"] for series in chart["series"])
    edges = []
    for name in "xy":
        log = chart[name].get("log")
        places = sorted({math.log(v) if log else v for series in chart["series"] for v in series[name]})
        half = part * (1 - GAP) / 2 * min(b - a for a, b in itertools.pairwise(places))
        around = [(math.log(v) - half, math.log(v) + half) if log else (v - half, v + half) for v in one[name]]
        edges.append([tuple(map(math.exp, ends)) if log else ends for ends in around])
    corners = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for (x0, x1), (y0, y1) in zip(*edges, strict=True)]
    cells = PolyCollection(corners, array=one["heat"], cmap="viridis")
    cells.set_clim(*chart["heat"])
    axes.add_collection(cells)
