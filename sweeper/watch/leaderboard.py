"""Draws the runs of each optimizer or arm as a row, `sgd ●●○ 99.40 %`, the best of a task first; never a rank across tasks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from sweeper.runs.status import Status
from sweeper.system.text import percent, printable
from sweeper.watch.overview import Sighting

COLORS = {
    Status.RUNNING: "cyan",
    Status.WAITING: "dim",
    Status.FAILED: "red",
    Status.DAMAGED: "red",
    Status.INTERRUPTED: "yellow",
    Status.DIVERGED: "magenta",
    Status.PRUNED: "blue",
    Status.COMPLETED: "green",
}
MARKS = {
    Status.RUNNING: "◐",
    Status.WAITING: "○",
    Status.INTERRUPTED: "◐",
    Status.COMPLETED: "●",
}  # ✗ for all others
MOST_MARKS = 12  # of a row with more runs they are counted

_NAME = re.compile(r"(?:(?P<task>.*)/)?(?P<optimizer>[^/]+)-seed(?P<seed>\d+)-\w+")


@dataclass
class Row:
    """The runs of an optimizer on a task.

    Attributes:
        task: the folder and the length, e.g. `digits-cnn 10`.
        label: the arm or, without one, the optimizer and the label noise, e.g. `sgd-symmetric`.
        seeds: of each run, as far as its name says.
    """

    task: str
    label: str
    runs: list[Sighting] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)

    @property
    def several_settings(self) -> bool:
        return len(set(self.seeds)) < len(self.seeds)

    @property
    def place(self) -> tuple[str, str, float, str]:
        """By task, to which the label noise belongs, then by accuracy."""
        return self.task, self.label.partition("-")[2], -(self.accuracy or 0.0), self.label

    @property
    def accuracy(self) -> float | None:
        """The mean over completed seeds, or before the first over running ones; of several settings the best. None if
        the noise rates differ."""
        if len({run.settings["noise_rate"] for run in self.runs} - {None}) > 1:
            return None
        for status in (Status.COMPLETED, Status.RUNNING):
            found = [run.test_accuracy for run in self.runs if run.status is status]
            if known := [accuracy for accuracy in found if accuracy is not None]:
                return max(known) if self.several_settings else sum(known) / len(known)
        return None


def group_runs(runs: Iterable[Sighting]) -> list[Row]:
    """The rows by task, the highest accuracy first. What isn't named like a run is in none."""
    rows: dict[tuple[str, str], Row] = {}
    for run in runs:
        if (name := _NAME.fullmatch(run.run)) is not None:
            task, label = f"{name['task'] or ''} {run.epochs or ''}".strip(), run.settings.get("arm") or name["optimizer"]
            row = rows.setdefault((task, label), Row(task, label))
            row.runs.append(run)
            row.seeds.append(name["seed"])
    return sorted(rows.values(), key=lambda row: row.place)


def leaderboard(rows: list[Row], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(6, width - 26))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    several = len({row.task for row in rows}) > 1
    for row in rows:
        label = f"{row.task} {row.label}" if several else row.label
        shown = f"{'best ' * row.several_settings}{percent(row.accuracy)}" if row.accuracy is not None else ""
        table.add_row(Text(printable(label)), _marks(row), shown)
    return table


def mark(run: Sighting) -> tuple[str, str]:
    """A character for the run's status, and its color."""
    return MARKS.get(run.status, "✗"), COLORS[run.status]


def _marks(row: Row) -> Text:
    if len(row.runs) > MOST_MARKS:
        return Text(f"{sum(run.status.settled for run in row.runs)} of {len(row.runs)}")
    by_seed = sorted(zip(row.seeds, row.runs, strict=True), key=lambda pair: (len(pair[0]), pair[0]))
    return Text.assemble(*(mark(run) for _, run in by_seed))
