"""`python -m sweeper.report`: writes the page `report.html` of folders of runs, and figures for a paper."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.aggregate.margin import add_margin, margin_share
from sweeper.runs.asked import OwnRuns
from sweeper.runs.layout import PAGE_FILE
from sweeper.system.command import Parser, elsewhere, exit_code_of, given_folder, writing
from sweeper.system.places import prepare_caches
from sweeper.system.terminal import say

if TYPE_CHECKING:
    from sweeper.aggregate.tasks import Task


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 0 when the page was written, 2 for bad input."""

    def command() -> None:
        arguments = _parser().parse_args(argv)
        sweep = OwnRuns.from_json(sys.stdin.read() if arguments.sweep else "")
        given = arguments.outputs, arguments.into, arguments.figures, margin_share(arguments.margin), sweep
        written = report(*given)
        for path in written:
            say(f"written: {path}")
        if arguments.figures and len(written) == 1:
            say("no figures: no run has completed yet")
        if arguments.figures and (older := _older(Path(arguments.figures), written)):
            say(f"of an earlier report, and no longer of these runs: {', '.join(map(str, older))}; remove them")

    return exit_code_of(command)


def report(
    outputs: Sequence[str],
    into: str | None = None,
    figures: str | None = None,
    margin: float | None = None,
    sweep: OwnRuns | None = None,
    dated: bool = True,
) -> list[Path]:
    """Write the page of the runs below `outputs`.

    Args:
        into: the folder to write to; None is the first of `outputs`.
        figures: a folder to create for the figures; None draws none.
        margin: of equivalence, as a share; None: the page says nothing of it.
        sweep: the runs of a sweep that ends: the cards of its tasks come first.
        dated: whether the page says when it was made.

    Returns:
        The written files.

    Raises:
        BadInput: a folder doesn't exist, has no runs, or can't be written.
    """
    from sweeper.aggregate.tasks import group_tasks
    from sweeper.report.curves import read_curve
    from sweeper.report.decision import read_decisions
    from sweeper.report.page import build_page
    from sweeper.report.provenance import shown_command
    from sweeper.runs.results import read_results

    results = read_results(outputs)
    tasks = group_tasks(results.runs)
    readable = [run for run in results.runs if run.configuration]
    curves = {run.path: read_curve(run) for run in readable}
    commands = {run.path: shown_command(run) for run in readable}
    latest = [] if sweep is None else latest_tasks(tasks, sweep)
    page = build_page(results, tasks, curves, commands, margin, read_decisions(outputs), latest, dated)
    written = [_write(Path(into or outputs[0]) / PAGE_FILE, page, elsewhere("report", outputs))]
    if figures is not None:
        prepare_caches()
        os.environ["MPLBACKEND"] = "agg"  # matplotlib imports what the variable names, such as a notebook's
        from sweeper.report.figures import draw_figures

        advice = "choose another folder by --figures DIR"
        written += [_write(Path(figures) / name, content, advice) for name, content in draw_figures(tasks, curves)]
    return written


def latest_tasks(tasks: "Sequence[Task]", sweep: OwnRuns) -> "list[Task]":
    """The tasks that show a sweep's own runs as the sweep has them: compared as its arms, or by optimizer and then only
    those that were tuned if its runs were, and only those that weren't if they weren't.

    Of arms not those that show fewer runs of a comparison than another does: another sweep's, which share a run.
    """
    from sweeper.runs.results import runs_in

    having = [task for task in tasks if runs_in(task.runs(), sweep.tuned)]
    of_arms, tuned = bool(sweep.comparisons), any(sweep.tuned.values())
    if of_arms:
        alike = [task for task in having if task.has_arms]
    else:
        alike = [task for task in having if not task.is_of_arms and bool(task.tuned) == tuned]
    shown = alike if not sweep.comparisons else []
    for arms in sweep.comparisons:
        held = [(task, {run.path for run in runs_in(task.runs(), arms)}) for task in alike]
        shown += [task for task, own in held if own and not any(own < other for _, other in held)]
    return [task for task in having if any(task is one for one in shown)] or having


def _parser() -> Parser:
    parser = Parser(
        "report",
        f"Make {PAGE_FILE} of run directories: the verdict and its limits, tables and curves, in one file "
        "that needs no network. Runs that still train are taken as they are.",
    )
    add_margin(parser)
    parser.add_argument(
        "--into", metavar="DIR", type=given_folder, help="where the page goes (default: the first folder)"
    )
    parser.add_argument("--sweep", action="store_true", help=argparse.SUPPRESS)  # see `report`; by standard input
    figures = "also draw figures for a paper there, as PNG, SVG and PDF"
    parser.add_argument("--figures", metavar="DIR", type=given_folder, help=figures)
    return parser


def _older(folder: Path, written: Sequence[Path]) -> list[Path]:
    from sweeper.report.figures import older_figures

    return older_figures(folder, written)


def _write(path: Path, content: bytes, advice: str) -> Path:
    from sweeper.system.files import make_folder, write_atomically

    with writing(path.parent, advice):
        make_folder(path.parent)
        write_atomically(path, content)
    return path
