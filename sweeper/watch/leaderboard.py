"""Draws the runs of each optimizer or arm as a row, `sgd ●●○ 99.40 %`, the best of a task first; no rank across tasks.

Where validation images are held out, validation accuracy counts: `sgd ●●○ best 98.90 % val` of several settings.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from sweeper.runs.rows import ARM
from sweeper.runs.status import Status
from sweeper.system.text import counted, percent, printable
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
WITH_REASON = 64  # the narrowest terminal that says why a row has no accuracy
MOST_MARKS = 12  # of a row with more runs they are counted

_NAME = re.compile(r"(?:(?P<task>.*)/)?(?P<method>[^/]+)-seed(?P<seed>\d+)-\w+")


@dataclass
class Row:
    """The runs of an optimizer or arm on a task.

    Attributes:
        task: the folder and the length, e.g. `digits-cnn 10 epochs`.
        noise: the label noise; "" without it.
        label: the arm or, without one, the optimizer.
        seeds: of each run, as far as its name says.
    """

    task: str
    noise: str
    label: str
    runs: list[Sighting] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)

    @property
    def several_settings(self) -> bool:
        return len(set(self.seeds)) < len(self.seeds)

    @property
    def place(self) -> tuple[str, int, str, float, str]:
        """By task, to which its length and the label noise belong, then by accuracy."""
        return self.task.partition(" ")[0], self.runs[0].epochs or 0, self.noise, -(self.accuracy or 0.0), self.label

    @property
    def validated(self) -> bool:
        """Whether images are held out, so that their accuracy counts."""
        return any(run.val_accuracy is not None for run in self.runs)

    @property
    def accuracy(self) -> float | None:
        """The mean over completed seeds, or before the first over running ones; of several settings the best.

        None if the noise rates differ, and of several settings without validation images, since test accuracy doesn't
        choose.
        """
        rates = {run.settings["noise_rate"] for run in self.runs} - {None}
        if len(rates) > 1 or (self.several_settings and not self.validated):
            return None
        for status in (Status.COMPLETED, Status.RUNNING):
            runs = [run for run in self.runs if run.status is status]
            found = [run.val_accuracy if self.validated else run.test_accuracy for run in runs]
            if known := [accuracy for accuracy in found if accuracy is not None]:
                return max(known) if self.several_settings else sum(known) / len(known)
        return None

    @property
    def why_none(self) -> str:
        """Why there is no accuracy although runs have one; else ""."""
        if self.accuracy is not None or all(run.test_accuracy is None for run in self.runs):
            return ""
        if len({run.settings["noise_rate"] for run in self.runs} - {None}) > 1:
            return "several noise rates"
        return f"{max(Counter(self.seeds).values())} settings, no validation images"


def group_runs(runs: Sequence[Sighting]) -> list[Row]:
    """The rows by task, the highest accuracy first. What isn't named like a run is in none."""
    rows: dict[tuple[str, str, str], Row] = {}
    optimizers = {run.settings["optimizer"] for run in runs} - {None}
    for run in runs:
        if (name := _NAME.fullmatch(run.run)) is not None:
            optimizer, noise = run.settings["optimizer"], run.settings["noise"]
            if optimizer is None:
                optimizer, noise = _by_name(name["method"], optimizers)
            noise = "" if noise in (None, "none") else noise
            length = counted(str(run.epochs), "epoch") if run.epochs else ""
            key = f"{name['task'] or ''} {length}".strip(), noise, run.settings[ARM] or optimizer
            row = rows.setdefault(key, Row(*key))
            row.runs.append(run)
            row.seeds.append(name["seed"])
    return sorted(rows.values(), key=lambda row: row.place)


def _by_name(method: str, optimizers: Iterable[str]) -> tuple[str, str]:
    """The optimizer and the label noise of a run that has no record yet, e.g. of `sgd-symmetric`.

    Args:
        optimizers: of the other runs. Names may have hyphens, so without such a one all is the optimizer's.
    """
    found = [name for name in optimizers if f"{method}-".startswith(f"{name}-")]
    optimizer = max(found, key=len, default=method)
    return optimizer, method[len(optimizer) + 1 :]


def leaderboard(rows: list[Row], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    reasons = [row.why_none if width >= WITH_REASON else "" for row in rows]
    room = max([30 if any(row.validated for row in rows) else 26, *(16 + len(reason) for reason in reasons)])
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(6, width - room))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    several = len({row.task for row in rows}) > 1
    for row, reason in zip(rows, reasons, strict=True):
        label = f"{f'{row.task} ' * several}{row.label}{f', {row.noise}' * bool(row.noise)}"
        best, on = "best " * row.several_settings, " val" * row.validated
        shown = Text(reason, "dim") if row.accuracy is None else Text(f"{best}{percent(row.accuracy)}{on}")
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
