"""Sets up a sweep's stop file and signals, removes them at its end, and updates the tables and the page."""

import contextlib
import json
import locale
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sweeper.config.grid import Grid
from sweeper.runs.asked import AskedRuns
from sweeper.runs.layout import PAGE_FILE, RESULTS_FILE, SUMMARY_FILE
from sweeper.runs.sweep_files import SweepStop, remove_sweep
from sweeper.system.command import called
from sweeper.system.errors import RunFailed
from sweeper.system.files import remove_file
from sweeper.system.paths import as_argument
from sweeper.system.terminal import say, tell
from sweeper.system.text import counted
from sweeper.train.deaths import how_ended
from sweeper.train.label import VARIES_VARIABLE, varies_in
from sweeper.train.live_table import end_show
from sweeper.train.signals import StopSignals
from sweeper.train.threads import cores_file

RUNS_VARIABLE = "SWEEPER_RUNS"  # the largest number of runs at a time, for the launcher's workers


@dataclass
class Tables:
    """What `update_tables` wrote and told: answers, the tables' paths, and the page's."""

    answers: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    page: str | None = None


_latest = Tables()


def latest_tables() -> Tables:
    """Of this command's latest update; empty before the first."""
    return _latest


@contextlib.contextmanager
def sweep_at_work(
    grid: Grid, runs: int, outlived: bool, own: AskedRuns | None = None
) -> Iterator[tuple[SweepStop, StopSignals]]:
    """Context in which a sweep's runs are launched: a stop ends all of them, and on exit the sweep's files are removed.

    Args:
        grid: what the sweep asks for.
        runs: the largest number of runs at a time.
        outlived: the runs go on when the command's terminal is closed.
        own: see `update_tables`.
    """
    os.environ[RUNS_VARIABLE] = str(runs)
    os.environ[VARIES_VARIABLE] = json.dumps(varies_in(grid))
    stop = SweepStop.begin(grid.outputs)
    try:
        yield stop, StopSignals(stop, outlived, of_command=True)
    except RunFailed:
        update_tables(str(grid.outputs), own)
        raise
    finally:
        end_show()
        os.environ.pop(RUNS_VARIABLE, None)
        os.environ.pop(VARIES_VARIABLE, None)
        stop.end()  # first: other commands remove both if they find a sweep's file whose process has ended
        remove_sweep(grid.outputs, stop.key)
        with contextlib.suppress(OSError):
            remove_file(cores_file(stop.key))


def update_tables(outputs: str, own: AskedRuns | None = None) -> bool:
    """Run `aggregate` and `report` in separate processes, so that the training process doesn't import pandas.

    Prints the answer, the path of the page, and the table of the sweep's own runs.

    Args:
        own: the sweep's runs; without any all runs of the folder are its own.

    Returns:
        Whether both succeeded; a failure is reported in one line on stderr.
    """
    global _latest  # noqa: PLW0603  # a command has one sweep
    end_show()
    outputs = as_argument(outputs)
    runs = b"" if own is None else own.to_json().encode()
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    report = subprocess.Popen([sys.executable, "-m", "sweeper.report", outputs, "--sweep"], **pipes)
    with contextlib.suppress(BrokenPipeError):  # its exit code and its lines say why
        report.stdin.write(runs)  # type: ignore[union-attr]
        report.stdin.close()  # type: ignore[union-attr]  # so that it works beside the other process
    report.stdin = None
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    aggregate = subprocess.run(
        [sys.executable, "-m", "sweeper.aggregate", outputs, "--sweep", str(columns)],
        input=runs,
        stdout=subprocess.PIPE,
        check=False,
    )
    # In which both write, as this process does; without an output it isn't known here.
    encoding = sys.__stdout__.encoding if sys.__stdout__ is not None else locale.getpreferredencoding(False)
    printed = aggregate.stdout.decode(encoding, errors="replace")
    aggregated, (answer, blank, tables) = aggregate.returncode, printed.partition("\n\n")
    told, reasons = (text.decode(encoding, errors="replace") for text in report.communicate())
    say(answer + blank[:1], end="", styled=True)  # printable already: the command's own output
    _latest = Tables(
        answer.splitlines(),
        [os.path.join(outputs, name) for name in (RESULTS_FILE, SUMMARY_FILE)] if aggregated == 0 else [],
        os.path.join(outputs, PAGE_FILE) if report.returncode == 0 else None,
    )
    if report.returncode == 0:
        say(told.replace("written: ", "page: ", 1), end="")
    say(blank[1:] + tables, end="", styled=True)
    if aggregated not in (0, 2):  # at 2 it has printed the reason
        command = f"{called('aggregate')} {shlex.quote(outputs)} makes them"
        tell(f"{outputs}: the tables are not up to date ({_end(aggregated)}); {command}")
    if report.returncode < 0:
        command = f"{called('report')} {shlex.quote(outputs)} makes it"
        tell(f"{outputs}: no report.html ({_end(report.returncode)}); {command}")
    elif report.returncode and aggregated != 2:  # otherwise aggregate has printed the same reason
        last = (reasons.strip().splitlines() or [_end(report.returncode)])[-1]
        tell(f"no report.html: {last.removeprefix('error: ')}")
    return aggregated == report.returncode == 0


def not_begun_words(left: int, to_do: int, runs: int) -> str:
    """What a sweep that was stopped says of its runs without a record.

    Args:
        left: how many there are, one at least.
        to_do: how many weren't finished when the sweep began.
        runs: how many it has.
    """
    if left < to_do:
        return f"{left:,} more not begun; the same command goes on"
    other = "other " if to_do < runs else ""
    if to_do == 1:
        return f"the {other}run has not begun; the same command begins it"
    return f"none of {'the ' * bool(other)}{counted(to_do, f'{other}run')} begun; the same command goes on"


def _end(code: int) -> str:
    """How a process without an error message ended, in words."""
    return f"{'killed by ' if code < 0 else ''}{how_ended(code)}"
