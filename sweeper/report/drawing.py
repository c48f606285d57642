"""What the figures for a paper share: colours, style, panels, texts, files."""

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sweeper.report.looks import DASHES, LIGHT, MARKS, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS = ("png", "svg", "pdf")
PANEL = (3.3, 2.5)  # inches; two panels are as wide as a page's text
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
    "pdf.fonttype": 42,  # fonts are embedded as TrueType, which publishers ask for
    "svg.fonttype": "none",  # keep texts as texts
    "svg.hashsalt": "sweeper",  # the same runs give the same file
    "text.parse_math": False,  # a name may contain a dollar sign
}


def panels(count: int, height: float = PANEL[1], width: float = PANEL[0]) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    columns = min(count, 2)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, k + 1) for k in range(count)]


def legend(axes: "Axes") -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7)


def title(text: str, width: int = 50) -> str:
    return "\n".join(textwrap.wrap(label(text, 120), width))


def center_titles(figure: "Figure", places: Sequence["Axes"]) -> None:
    """Center each title on its panel, labels of the axis included: beside long ones it would leave the figure."""
    figure.draw_without_rendering()  # lays the panels out
    columns = min(len(places), 2)
    for k, axes in enumerate(places):
        middle = (k % columns + 0.5) / columns * figure.bbox.width
        axes.title.set_x(axes.transAxes.inverted().transform((middle, 0))[0])


def label(text: str, longest: int = 48) -> str:
    """A text for a title or legend; matplotlib leaves out those that begin with an underscore."""
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return f" {text}" if text.startswith("_") else text


def log_scale(axes: "Axes", side: str, ticks: Sequence[float] | None = None) -> None:
    """A logarithmic axis with plain numbers: texts aren't mathematics here, and matplotlib's own labels are.

    Args:
        side: `x` or `y`.
        ticks: where numbers stand; None: at 1 and 3 times each power of ten.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    (axes.set_xscale if side == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_minor_locator(NullLocator())
    axis.set_major_locator(LogLocator(subs=(1.0, 3.0)) if ticks is None else FixedLocator(list(ticks)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))


def line_style(look: Look | Sequence[int], mark: bool = True) -> dict[str, Any]:
    """Colour, dash and mark for matplotlib, the same as on the page.

    Args:
        look: or its indices, as the page's charts have them.
        mark: whether points are marked; a line of many points is whole without.
    """
    hue, dash, form = look.indices() if isinstance(look, Look) else look
    dashes = (0, DASHES[dash]) if DASHES[dash] else "solid"
    return {"color": LIGHT[hue], "linestyle": dashes, **({"marker": MARKS[form][0]} if mark else {})}


def files(name: str, figure: "Figure") -> Iterator[tuple[str, bytes]]:
    """The figure in each form; the same runs give the same bytes."""
    dateless = {"png": None, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    for form in FORMS:
        file = io.BytesIO()
        figure.savefig(file, format=form, dpi=300, metadata=dateless[form])
        yield f"{name}.{form}", file.getvalue()
