"""The page's sections of charts: their titles, their order, and the sentences around them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sweeper.aggregate.tasks import Task
from sweeper.report.charts import Chart, Curves, lr_charts, noise_charts, seed_charts
from sweeper.report.tables import PageTable
from sweeper.report.tuning import NOTE, tuning_charts, tuning_table
from sweeper.system.text import few


@dataclass(frozen=True)
class ChartSection:
    """A section of the page that holds charts.

    Attributes:
        name: its place in links.
        short: its entry in the page's contents.
        note: the sentences below the charts.
        absent: what the page says it doesn't show, where there are no charts.
        table: above the charts, if it has rows.
    """

    name: str
    short: str
    title: str
    note: str
    absent: str
    charts: list[Chart]
    table: PageTable = field(default_factory=PageTable)


def chart_sections(tasks: Sequence[Task], curves: Curves) -> list[ChartSection]:
    """The page's sections of charts, in their order. A new chart is a function here and an entry in this list."""
    diverged = few([f"{s.label} ({s.diverged()} of {len(s.runs)})" for t in tasks for s in t.settings if s.diverged()])
    return [
        ChartSection(
            "noise",
            "Label noise",
            "Accuracy under label noise",
            "Means over seeds ± standard deviation, at the last epoch. A wrong label is learnt when the model tells "
            "the image as the wrong class it was given: memorization.",
            "label noise (one rate only)",
            noise_charts(tasks, curves),
        ),
        ChartSection(
            "seeds",
            "Seeds",
            "Final and best accuracy of each seed",
            "Filled: the last epoch. Open: the best epoch (chosen on test). A gap between them is what early stopping "
            "could win, and what label noise opens.",
            "final and best accuracy (no completed run)",
            [chart for chart in seed_charts(tasks) if any(one["x"] for one in chart["series"])],
        ),
        ChartSection(
            "lr",
            "Learning rate",
            "Sensitivity to the learning rate",
            "Means over seeds ± standard deviation; where several settings share a learning rate, the best of them. A "
            f"setting of which a seed diverged has no point here{f': {diverged}' if diverged else ''}.",
            "sensitivity to the learning rate (one rate an optimizer)",
            lr_charts(tasks),
        ),
        ChartSection(
            "tuning",
            "Tuning",
            "How each optimizer was tuned",
            NOTE,
            "tuning (no search with validation images held out)",
            tuning_charts(tasks),
            tuning_table(tasks),
        ),
    ]
