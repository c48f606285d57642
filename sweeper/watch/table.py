"""Draws `sweeper.watch`: a table of runs that fits the terminal, a line for the sweep and one for the machine."""

import time
from collections import Counter
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeper.runs.rows import ARM
from sweeper.runs.status import Status
from sweeper.system.text import duration, percent, printable
from sweeper.watch.load import HINT
from sweeper.watch.overview import Overview, Sighting

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
FEWEST_ROWS = 3
MOST_REASONS = 3


def watch_table(overview: Overview, machine: dict[str, Any], width: int, height: int | None) -> RenderableType:
    """Draw the table, the progress and the machine's load.

    Args:
        width: of the terminal, in characters.
        height: of the terminal, in lines; None shows every run.
    """
    counted = overview.counted()
    reasons = [run for run in counted if run.status in (Status.FAILED, Status.DAMAGED) and run.error][:MOST_REASONS]
    below = [*_reasons(reasons), _progress(overview), *_machine(machine, overview)]
    runs = counted or overview.runs
    if overview.sweeping:  # and what else trains there
        runs = runs + [run for run in overview.runs if run.status is Status.RUNNING and not run.in_sweep]
    room = len(runs) if height is None else max(FEWEST_ROWS, height - len(below) - 4)
    shown, rest = (runs, []) if len(runs) <= room else (runs[: room - 1], runs[room - 1 :])
    lines: list[RenderableType] = [_table(shown, width)]
    if rest:
        lines.append(_dim(f"and {_told(rest)}"))
    return Group(*lines, *below)


def _table(runs: list[Sighting], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", width=width)
    by_arm = any(run.settings.get(ARM) for run in runs)
    if by_arm:
        table.add_column("arm", no_wrap=True)
    table.add_column("run", no_wrap=True, overflow="ellipsis", ratio=1, min_width=8)
    table.add_column("status", no_wrap=True)
    table.add_column("epoch", justify="right", no_wrap=True)
    table.add_column("test", justify="right", no_wrap=True)
    if width >= 72:
        table.add_column("images/s", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)
    for run in runs:
        speed = "" if run.images_per_second is None or run.status is Status.WAITING else f"{run.images_per_second:,.0f}"
        table.add_row(
            *([Text(run.settings.get(ARM) or "")] if by_arm else []),
            Text(printable(run.run)),
            Text(run.status, style=COLORS[run.status]),
            "" if run.epochs is None else f"{run.epoch}/{run.epochs}",
            percent(run.test_accuracy) if run.status is not Status.WAITING else "",
            *([speed] if width >= 72 else []),
            "" if run.seconds_left is None else duration(run.seconds_left),
        )
    return table


def _told(runs: list[Sighting]) -> str:
    counts = Counter(run.status for run in runs)
    return ", ".join(f"{n} more {status}" for status, n in counts.items())


def _reasons(runs: list[Sighting]) -> list[RenderableType]:
    return [
        Text.assemble(
            (run.status, COLORS[run.status]),
            printable(f" {run.run}: {run.error}"),
            no_wrap=True,
            overflow="ellipsis",
        )
        for run in runs
    ]


def _progress(overview: Overview) -> RenderableType:
    """The progress bar, the number of runs of each status, and the estimated end."""
    counts = overview.counts()
    total = sum(counts.values())
    share = overview.epochs_done / overview.epochs if overview.epochs else 0.0
    words = [", ".join(f"{n} {status}" for status, n in counts.items()) or "no runs yet"]
    if overview.seconds_elapsed is not None:
        words.append(f"{duration(overview.seconds_elapsed)} so far")
    if overview.seconds_left is not None:
        words.append(f"{duration(overview.seconds_left)} left, {_clock(overview.seconds_left)}")
    line = Table.grid(padding=(0, 1))
    line.add_column(no_wrap=True)
    line.add_column(width=20)
    line.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(total=1.0, completed=share, width=20)
    line.add_row(f"{total} run{'s' * (total != 1)}", bar, Text(f"{100 * share:.0f} %  " + "; ".join(words)))
    return line


def _clock(seconds: float) -> str:
    """The time in so many seconds, e.g. `at 14:05`, `on Tue 14:05`."""
    then = time.localtime(time.time() + seconds)
    same_day = then.tm_yday == time.localtime().tm_yday and seconds < 86400
    return time.strftime("at %H:%M" if same_day else "on %a %H:%M" if seconds < 6 * 86400 else "on %d %b %H:%M", then)


def _machine(machine: dict[str, Any], overview: Overview) -> list[RenderableType]:
    lines: list[RenderableType] = [
        _dim(f"this machine: load {_share(machine['cpu_load'])}, memory {_bytes(machine)}"),
        *(
            _dim(f"GPU {k} {gpu['name']}: load {_share(gpu['load'])}, memory {_bytes(gpu)}")
            for k, gpu in enumerate(machine["gpus"])
        ),
    ]
    if not machine["gpus"] and any(
        run.status is Status.RUNNING and run.settings.get("device") == "cuda" for run in overview.runs
    ):
        lines.append(_dim(HINT))
    return lines


def _dim(text: str) -> Text:
    return Text(printable(text), style="dim", no_wrap=True, overflow="ellipsis")


def _share(load: float | None) -> str:
    return "–" if load is None else f"{100 * load:.0f} %"


def _bytes(node: dict[str, Any]) -> str:
    used, total = node["memory_used_bytes"], node["memory_total_bytes"]
    return "–" if used is None or total is None else f"{used / 2**30:.1f} of {total / 2**30:.1f} GiB"
