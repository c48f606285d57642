"""What all figures share."""

import matplotlib
import pytest

from sweeper.report.drawing import FORMS, PANEL, STYLE, files, label, legend, line_style, log_scale, panels, title
from sweeper.report.looks import LIGHT, Look


def test_a_pdf_embeds_its_fonts_and_the_same_figure_gives_the_same_bytes():
    """A FontFile2 is a TrueType font within the file; a Type 3 font is what publishers refuse."""
    made = []
    for _ in range(2):
        with matplotlib.rc_context(STYLE):
            figure, (axes,) = panels(1)
            axes.plot([1, 2], label="a line")
            legend(axes)
            made.append(dict(files("one", figure)))
    assert made[0] == made[1] and list(made[0]) == [f"one.{form}" for form in FORMS]
    pdf = made[0]["one.pdf"]
    assert pdf.startswith(b"%PDF") and b"/FontFile2" in pdf and b"/Type3" not in pdf and b"CreationDate" not in pdf


def test_panels_stand_two_a_row():
    figure, places = panels(3)
    assert len(places) == 3 and list(figure.get_size_inches()) == [2 * PANEL[0], 2 * PANEL[1]]


@pytest.mark.parametrize("side", ["x", "y"])
def test_a_logarithmic_axis_has_plain_numbers(side):
    """Dollar signs aren't mathematics here, so matplotlib's own labels would show their source."""
    for ticks, expected in ((None, {"0.01", "0.03", "0.1", "0.3"}), ([0.0005, 0.002], {"0.0005", "0.002"})):
        figure, (axes,) = panels(1)
        axes.plot([0.01, 0.5], [0.01, 0.5])
        log_scale(axes, side, ticks)
        figure.canvas.draw()
        axis = axes.xaxis if side == "x" else axes.yaxis
        found = {text.get_text() for text in axis.get_ticklabels()}
        assert expected <= found and not any("$" in text for text in found)


def test_texts_are_cut_and_shown():
    assert label("_hidden") == " _hidden" and label("x" * 60) == "x" * 47 + "…"
    assert title("a long name of a task " * 3, 30).count("\n") == 2


def test_a_line_has_the_pages_colour_dash_and_mark():
    assert line_style(Look(2)) == {"color": LIGHT[2], "linestyle": "solid", "marker": "D"}
    assert line_style([1, 1, 4], mark=False) == {"color": LIGHT[1], "linestyle": (0, (6, 3))}
