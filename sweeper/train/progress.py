"""Shows a run's progress: a bar on a terminal, one line per epoch elsewhere; inside a sweep it is told to the lock."""

import contextlib
import sys
import time
from typing import Any

from sweeper.runs.under_way import UnderWay
from sweeper.system.terminal import tell
from sweeper.system.text import duration, percent

Row = dict[str, Any]
EVERY = 0.2  # seconds between two updates within an epoch


class Progress:
    """Shows one run's epochs. `quiet` is for runs of a sweep, whose output would overlap."""

    def __init__(self, epochs: int, quiet: bool) -> None:
        self.epochs, self.quiet = epochs, quiet
        self._began = time.perf_counter()
        self._steps_of_epoch = 1
        self._steps = 0  # since the last row
        self._updated = 0.0
        self._done_before: float | None = None  # epochs, before this process began
        self._reached = UnderWay(0.0, None)
        self._last: Row | None = None
        self._bar: Any = None

    def begin(self, steps_of_epoch: int) -> None:
        """Show the bar, if standard error is a terminal: below the lines that are logged before the first step."""
        self._began, self._steps_of_epoch = time.perf_counter(), steps_of_epoch
        if not self.quiet and sys.stderr.isatty():
            with contextlib.suppress(OSError):  # the terminal has been closed
                self._bar = _bar(self.epochs)

    def step(self, epochs_done: int, steps: int, before: int = 0) -> None:
        """Note so many more steps of the epoch after `epochs_done`; they move the bar within the epoch.

        Args:
            before: the first steps of the epoch, which were trained before the run was stopped.
        """
        if self._done_before is None:
            self._done_before, self._steps = epochs_done + before / self._steps_of_epoch, before
        self._steps += steps
        now, part = time.perf_counter(), min(1.0, self._steps / self._steps_of_epoch)
        done = epochs_done + part
        self._reach(done, now)
        if self._bar is None or now - self._updated < EVERY:
            return
        self._updated = now
        if self._last is not None:
            self._update(done, self._text(self._last, done, now))
        else:  # the first since the run began or went on
            self._update(done, f"{self._left(done, now)} left  {100 * part:.0f} % of epoch {epochs_done + 1}")

    def show(self, row: Row) -> None:
        if self._done_before is None:
            self._done_before = row["epoch"] - 1
        self._last, self._steps = row, max(0, self._steps - self._steps_of_epoch)  # of the next epoch already
        now = time.perf_counter()
        self._reach(row["epoch"] + min(1.0, self._steps / self._steps_of_epoch), now)
        if self._bar is not None:
            self._update(row["epoch"], self._text(row, row["epoch"], now))
        elif not self.quiet:
            tell(f"epoch {row['epoch']}/{self.epochs}  {_figures(row)}  {self._left(row['epoch'], now)} left")

    def facts(self) -> dict[str, Any]:
        """What the run's lock tells of it. Another thread may ask."""
        return self._reached.to_json()

    def close(self) -> None:
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.stop()

    def _text(self, row: Row, done: float, now: float) -> str:
        """The time left first, since a narrow terminal cuts the end."""
        return f"{self._left(done, now)} left  {_figures(row)}"

    def _reach(self, done: float, now: float) -> None:
        self._reached = UnderWay(done, self._pace(done, now))

    def _pace(self, done: float, now: float) -> float | None:
        """Seconds per epoch since this process began."""
        trained = done - (self._done_before or 0)  # 0 if the run was stopped after the last step of an epoch
        return (now - self._began) / trained if trained > 0 else None

    def _left(self, done: float, now: float) -> str:
        pace = self._pace(done, now)
        return "unknown time" if pace is None else duration(pace * (self.epochs - done))

    def _update(self, done: float, text: str) -> None:
        with contextlib.suppress(OSError):  # e.g. the terminal has been closed; the run goes on without it
            self._bar.update(self._bar.task_ids[0], completed=done, text=text)


def _figures(row: Row) -> str:
    return (
        f"test {percent(row.get('test_accuracy'))}  train loss {_loss(row['train_loss'])}  "
        f"{row['images_per_second']:,.0f} images/s"
    )


def _loss(value: float) -> str:
    """With four decimals; in short if it is beyond any sense."""
    return f"{value:.4f}" if value < 1e4 else f"{value:.3g}"


def _bar(epochs: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    console = Console(stderr=True)
    wide = 20 if console.width >= 100 else 10 if console.width >= 70 else 0
    room = console.width - len("epoch ") - 2 * len(f"{epochs} ") - (wide + 1 if wide else 0)
    figures = TextColumn(
        "{task.fields[text]}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=max(10, room))
    )
    bars = [BarColumn(bar_width=wide)] if wide else []
    progress = RichProgress(TextColumn("epoch"), MofNCompleteColumn(), *bars, figures, console=console)
    progress.add_task("training", total=epochs, text="")
    progress.start()
    return progress
