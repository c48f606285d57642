"""Shows a run's progress: a bar on a terminal, one line per epoch elsewhere, nothing inside a sweep."""

import contextlib
import sys
import time
from typing import Any

from sweeper.system.terminal import tell
from sweeper.system.text import duration, percent

Row = dict[str, Any]


class Progress:
    """Shows one run's epochs. `quiet` is for runs of a sweep, whose output would overlap."""

    def __init__(self, epochs: int, quiet: bool) -> None:
        self.epochs, self.quiet = epochs, quiet
        self._began = time.perf_counter()
        self._done_before: int | None = None
        self._bar = _bar(epochs) if not quiet and sys.stderr.isatty() else None

    def show(self, row: Row) -> None:
        if self._done_before is None:
            self._done_before = row["epoch"] - 1
        done = row["epoch"] - self._done_before
        left = (time.perf_counter() - self._began) / done * (self.epochs - row["epoch"])
        text = (
            f"test {percent(row.get('test_accuracy'))}  train loss {_loss(row['train_loss'])}  "
            f"{row['images_per_second']:,.0f} images/s  {duration(left)} left"
        )
        with contextlib.suppress(OSError):  # e.g. the terminal has been closed; the run goes on without it
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], completed=row["epoch"], text=text)
            elif not self.quiet:
                tell(f"epoch {row['epoch']}/{self.epochs}  {text}")

    def close(self) -> None:
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar.stop()


def _loss(value: float) -> str:
    """With four decimals; in short if it is beyond any sense."""
    return f"{value:.4f}" if value < 1e4 else f"{value:.3g}"


def _bar(epochs: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = TextColumn("epoch"), MofNCompleteColumn(), BarColumn(bar_width=20), TextColumn("{task.fields[text]}")
    bar = RichProgress(*columns, console=Console(stderr=True))
    bar.add_task("training", total=epochs, text="")
    bar.start()
    return bar
