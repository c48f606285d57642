"""Draws `sweeper.watch` to fit the terminal: one row per optimizer, the runs, a line for the sweep and the machine."""

import textwrap
import time
from collections import Counter
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeper.runs.rows import ARM
from sweeper.runs.status import Status
from sweeper.system.text import counted, duration, percent, printable
from sweeper.watch.leaderboard import COLORS, group_runs, leaderboard, mark
from sweeper.watch.load import HINT
from sweeper.watch.overview import Overview, Sighting

FEWEST_ROWS = 3  # of runs, where there are no rows of optimizers
MOST_REASONS = 3
# The narrowest terminals that show a column or the bar; the time left is in all.
WITH_SPEED, WITH_STATUS, WITH_EPOCH, WITH_BAR = 72, 56, 48, 64
WITH_MACHINE = 8  # lines


def watch_table(overview: Overview, machine: dict[str, Any], width: int, height: int | None) -> RenderableType:
    """Draw the table, the progress and the machine's load.

    Args:
        width: of the terminal, in characters.
        height: of the terminal, in lines; None shows every run.
    """
    counted = overview.counted()
    bad = [run for run in counted if run.status in (Status.FAILED, Status.DAMAGED) and run.error]
    told = bad[: MOST_REASONS if height is None else min(MOST_REASONS, height // 8)]
    low = height is not None and height < WITH_MACHINE
    repeats = [] if low else [_dim(line) for line in textwrap.wrap(overview.repeats, width)]
    below = [*_reasons(told), *repeats, _progress(overview, width), *([] if low else _machine(machine, overview))]
    runs = counted or overview.runs
    if overview.sweeping:  # and what else trains there
        runs = runs + [run for run in overview.runs if run.status is Status.RUNNING and not run.in_sweep]
    rows = group_runs(counted) if len(counted) > 1 else []
    fit = len(rows) if height is None else max(0, height - len(below) - 2)
    rows = rows[:fit]
    lines: list[RenderableType] = [leaderboard(rows, width)] if rows else []
    names = _names(runs)
    room = len(runs) if height is None else max(0 if rows else FEWEST_ROWS, height - len(below) - 4 - len(rows))
    shown, rest = (runs, []) if len(runs) <= room else (runs[: max(0, room - 1)], runs[max(0, room - 1) :])
    if shown or not rows:
        lines.append(_table(shown, names, width))
    if rest and (shown or not rows or height is None or height - len(below) - len(rows) > 2):
        lines.append(_dim(f"and {_told(rest)}"))
    return Group(*lines, *below)


def _names(runs: list[Sighting]) -> list[str]:
    """Each run by what varies in its sweep. If several sweeps at once have several folders, its own stands before it:
    `digits-cnn sgd, seed 1`. Without such words, and if they are another's, too, by its directory."""
    labelled = [run for run in runs if run.label]
    folders = {_folder(run) for run in labelled} if len({run.sweep for run in labelled}) > 1 else set()
    said = {id(run): f"{_folder(run)} {run.label}" if len(folders) > 1 else run.label for run in labelled}
    counts = Counter((run.settings.get(ARM), said[id(run)]) for run in labelled)
    alone = {id(run) for run in labelled if counts[run.settings.get(ARM), said[id(run)]] == 1}
    return [said[id(run)] if id(run) in alone else run.run for run in runs]


def _folder(run: Sighting) -> str:
    """Of its task, e.g. `digits-cnn`."""
    return run.run.rpartition("/")[0]


def _table(runs: list[Sighting], names: list[str], width: int) -> Table:
    """A row a run, by the first of the names."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", width=width)
    by_arm = any(run.settings.get(ARM) for run in runs)
    if by_arm:
        table.add_column("arm", no_wrap=True)
    table.add_column("run", no_wrap=True, overflow="ellipsis", ratio=1, min_width=8)
    table.add_column("status" if width >= WITH_STATUS else "", no_wrap=True)
    if width >= WITH_EPOCH:
        table.add_column("epoch", justify="right", no_wrap=True)
    known = [run for run in runs if run.test_accuracy is not None]
    validated = bool(known) and all(run.val_accuracy is not None for run in known)  # then these images judge
    table.add_column("val" if validated else "test", justify="right", no_wrap=True)
    if width >= WITH_SPEED:
        table.add_column("images/s", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)
    for run, name in zip(runs, names, strict=False):
        speed = "" if run.images_per_second is None or run.status is Status.WAITING else f"{run.images_per_second:,.0f}"
        table.add_row(
            *([Text(run.settings.get(ARM) or "")] if by_arm else []),
            Text(printable(name)),
            Text(run.status, style=COLORS[run.status]) if width >= WITH_STATUS else Text(*mark(run)),
            *(["" if run.epochs is None else f"{run.epoch}/{run.epochs}"] if width >= WITH_EPOCH else []),
            percent(run.val_accuracy if validated else run.test_accuracy) if run.status is not Status.WAITING else "",
            *([speed] if width >= WITH_SPEED else []),
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


def _progress(overview: Overview, width: int) -> RenderableType:
    """The progress bar, the estimated end, and the number of runs of each status, which a narrow terminal cuts."""
    counts = overview.counts()
    total = sum(counts.values())
    share = overview.share
    words = []
    if overview.seconds_left is not None:
        words.append(f"{duration(overview.seconds_left)} left, {_clock(overview.seconds_left)}")
    words.append(", ".join(f"{n} {status}" for status, n in counts.items()) or "no runs yet")
    if overview.seconds_elapsed is not None:
        words.append(f"{duration(overview.seconds_elapsed)} so far")
    line = Table.grid(padding=(0, 1))
    line.add_column(no_wrap=True)
    cells: list[RenderableType] = [counted(total, "run")]
    room = width - len(str(cells[0])) - 1
    if width >= WITH_BAR:
        line.add_column(width=20)
        cells.append(ProgressBar(total=1.0, completed=share, width=20))
        room -= 21
    line.add_column(no_wrap=True, overflow="ellipsis", max_width=max(1, room - 1))
    line.add_row(*cells, Text(f"{100 * share:.0f} %  " + "; ".join(words)))
    return line


def _clock(seconds: float) -> str:
    """The time in so many seconds, e.g. `at 14:05`, `on Tue 14:05`."""
    now = time.time()
    then = time.localtime(now + seconds)
    same_day = then.tm_yday == time.localtime(now).tm_yday and seconds < 86400
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
