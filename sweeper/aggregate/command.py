"""`python -m sweeper.aggregate`: writes `results.csv` and `summary.csv` of folders of runs, and prints the summary."""

import argparse
import json
import os
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweeper.aggregate.margin import add_margin, margin_share
from sweeper.runs.asked import OwnRuns
from sweeper.runs.layout import FORMATS, PAPER_FILES, RESULTS_FILE, SUMMARY_FILE
from sweeper.system.command import Parser, called, elsewhere, exit_code_of, given_folder, writing
from sweeper.system.errors import BadInput, install, nearest
from sweeper.system.module_path import is_installed
from sweeper.system.terminal import say, writing_stdout
from sweeper.system.text import counted, percent, printable, shortened

if TYPE_CHECKING:
    from sweeper.aggregate.tables import Shown
    from sweeper.runs.copies import LeftOut
    from sweeper.runs.results import Results
    from sweeper.runs.rows import Run

MOST_REASONS = 10


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 0 when the tables were written, 2 for bad input."""

    def command() -> None:
        arguments = _parser().parse_args(argv)
        margin = margin_share(arguments.margin)
        if arguments.sweep is None:
            own, columns = None, shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        else:
            own, columns = OwnRuns.from_json(sys.stdin.read()), arguments.sweep
        formats = _formats(arguments.format, arguments.outputs)
        given = arguments.outputs, arguments.into, formats, margin, own, columns, arguments.json
        say(aggregate(*given), styled=not arguments.json)

    return exit_code_of(command)


def aggregate(
    outputs: Sequence[str],
    into: str | None,
    formats: Sequence[str],
    margin: float | None = None,
    sweep: OwnRuns | None = None,
    columns: int = 0,
    as_json: bool = False,
) -> str:
    """Write the tables of the runs below `outputs`.

    Args:
        into: the folder to write to; None is the first of `outputs`.
        formats: some of `FORMATS`; CSV is always written.
        margin: of equivalence, as a share; the printed answers then say which pairs lie within.
        sweep: the runs of a sweep that ends: the text begins with its answers and an empty line, and the rest is
            of its own runs; others are counted. Without any of them here all runs are its own.
        columns: the terminal's width; 0 if the text goes elsewhere.
        as_json: return the document for programs.

    Returns:
        The text to print: the summary, the number of runs of each status, and the paths of the tables.

    Raises:
        BadInput: a folder doesn't exist, has no runs, or can't be written.
    """
    from sweeper.aggregate.beside import describe_others
    from sweeper.aggregate.contents import Contents
    from sweeper.aggregate.robustness import find_robustness
    from sweeper.aggregate.summary import summarize
    from sweeper.aggregate.sweep_answers import describe_sweep
    from sweeper.aggregate.tables import show
    from sweeper.aggregate.tasks import group_tasks
    from sweeper.aggregate.verdict import answer_task
    from sweeper.runs.results import read_results
    from sweeper.system.files import make_folder, write_together

    results = read_results(outputs)
    contents = Contents(results)
    own = results if sweep is None else _own(results, sweep)
    of_these = contents.summary if sweep is None else summarize(own.runs)
    tasks = contents.tasks if sweep is None else group_tasks(own.runs)
    if sweep is None:
        first, shown = [], show(of_these, {task.label: answer_task(task, margin) for task in tasks})
    else:
        in_folder = tasks if len(own.runs) == len(results.runs) else contents.tasks
        first, shown = [*describe_sweep(tasks, in_folder, f"{outputs[0]}/"), ""], show(of_these)
    files: dict[str, bytes] = {}
    for form in FORMATS:
        files |= contents.files(form, margin) if form == "csv" or form in formats else {}
    folder = Path(into or outputs[0])
    with writing(folder, elsewhere("aggregate", outputs)):
        make_folder(folder)
        write_together({folder / name: content for name, content in files.items()})
    written = [str(folder / name) for name in files]
    if as_json:
        from sweeper.aggregate.document import describe_results

        return json.dumps(describe_results(own, tasks, margin, written), indent=1, allow_nan=False)
    in_rows = any(row["mixed"] for row in of_these.rows)
    counts = _lines(own, len(results.runs) - len(own.runs), folder, in_rows)
    robust = [] if sweep else [f"{one.label}: {one.said(margin)}" for one in find_robustness(tasks)]
    more = [*robust, *([""] if robust else [])]
    others = describe_others(folder, files, contents, outputs, margin)
    lines = [*first, *_summary_lines(shown, columns), *more, *counts, f"written: {', '.join(written)}", *others]
    return "\n".join(lines)


def _parser() -> Parser:
    parser = Parser(
        "aggregate",
        f"Merge run directories into {RESULTS_FILE}, one row per run, and {SUMMARY_FILE}, one row per configuration "
        "over its seeds, and print the summary. Runs that still train are taken as they are.",
    )
    parser.add_argument(
        "--into", metavar="DIR", type=given_folder, help="where the tables go (default: the first folder)"
    )
    add_margin(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document, for programs")
    # Of a sweep that ends: the terminal's columns, or 0. The directories of its runs come by standard input.
    parser.add_argument("--sweep", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--format",
        default="csv",
        metavar="FORMAT,…",
        help="csv, which is always written; "
        + ", ".join(f"{name} ({file})" for name, file in FORMATS.items() if name != "csv")
        + f"; latex also writes what a paper needs: {', '.join(PAPER_FILES)}",
    )
    return parser


def _own(results: "Results", sweep: OwnRuns) -> "Results":
    """The sweep's own runs, each compared as the sweep asked for it, whatever other sweeps did.

    Where the folder has another run that counts in place of one of these, it stands for that one here, too.
    """
    from sweeper.runs.results import Results
    from sweeper.runs.rows import ARM
    from sweeper.runs.tuned_on import by_images

    tuned = {os.path.realpath(directory): words for directory, words in sweep.tuned.items()}
    compared = [{os.path.realpath(directory): arm for directory, arm in arms.items()} for arms in sweep.comparisons]
    asked_as = {id(one.counts): place for one in results.left_out if (place := os.path.realpath(one.run.path)) in tuned}
    runs, left_out = [], []
    for run in results.runs:
        place = os.path.realpath(run.path)
        if place not in tuned and (place := asked_as.get(id(run), "")) not in tuned:
            continue
        left_out += [one for one in results.left_out if one.counts is run]
        arms = {(number, ""): shortened(arm_of[place]) for number, arm_of in enumerate(compared) if place in arm_of}
        values = {name: v for name, v in run.values.items() if name != ARM}
        at = tuned[place]
        words = frozenset() if at is None else frozenset({by_images(at, run.conditions.get("data"))})
        values |= {ARM: [*arms.values()][-1]} if arms else {}
        own = replace(run, values=values, comparisons=arms, unnamed=not arms, tuned=words, untuned=not words)
        runs.append(own)
    return Results(runs, left_out) if runs else results


def _formats(given: str, folders: Sequence[str]) -> list[str]:
    formats = [name.strip() for name in given.split(",")]
    for name in formats:
        if not name:
            raise BadInput(f"--format {given}: a name is missing; write them with commas alone, e.g. csv,latex")
        if name not in FORMATS:
            raise BadInput(f"--format {name}: there is no such format; {nearest(name, FORMATS)}")
    if "parquet" in formats and not is_installed("pyarrow"):
        raise BadInput(f"--format parquet: needs pyarrow; {install('parquet')}")
    if apart := [name for name in folders if name in FORMATS and not Path(name).exists()]:
        whole = ",".join([given, *apart])
        raise BadInput(f"{apart[0]}: there is no such folder; several formats are one word, --format {whole}")
    return formats


def _summary_lines(shown: "Shown", columns: int) -> Iterator[str]:
    """The summary as a table for each task, as wide as the terminal; in a pipe, as wide as needed."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sweeper.aggregate.tables import FIGURE_NAMES

    if not shown.blocks:
        return
    console = Console(width=columns or 100_000, highlight=False)
    yield shown.title
    yield ""
    for block in shown.blocks:
        table = Table(box=box.SIMPLE_HEAD if columns else None, pad_edge=False)
        for name in block.header:
            table.add_column(Text(name), overflow="fold", no_wrap=name == FIGURE_NAMES["final_test_accuracy"])
        for row in block.rows:
            table.add_row(*map(Text, row))
        with writing_stdout(), console.capture() as captured:
            console.print(table)
        yield from textwrap.wrap(block.title, console.width)
        yield from (line.rstrip() for line in captured.get().strip("\n").splitlines())
        yield from textwrap.wrap(block.note, console.width)
        yield ""


def _has_damaged_file(run: "Run") -> bool:
    """Whether a file beside the record of a run is damaged: its error is that, or names that."""
    return bool(run.other_files or (run.status.goes_on and run.values.get("error")))


def _left_out_words(results: "Results") -> str:
    from sweeper.runs.copies import count

    copies, unfinished, _ = count(results.left_out)
    them = "it" if len(results.runs) == 1 else "these"
    words = f"; {copies:,} more {'was a copy' if copies == 1 else 'were copies'} of {them}" if copies else ""
    return words + (f"; {unfinished:,} unfinished or damaged gave way to {them}" if unfinished else "")


def _repeat_line(one: "LeftOut") -> str:
    """Where a repeat and the run that counts are, and how they ended."""
    again, first = (_end(run) for run in (one.run, one.counts))
    others = " (other figures differ)" if again == first else ""
    return f"repeat: {printable(one.run.path)} {again}; {printable(one.counts.path)} {first}{others} counts"


def _end(run: "Run") -> str:
    accuracy = run.values.get("final_test_accuracy")
    return f"{run.status}{'' if accuracy is None else f', test {percent(accuracy)}'}"


def _lines(results: "Results", others: int, folder: Path, in_rows: bool) -> Iterator[str]:
    """The number of runs of each status, what they took and cost, what was trained again, the conditions that differ,
    and why some runs can't be used.

    Args:
        others: the number of runs in the folder beside these.
        in_rows: whether conditions differ within a row of the summary, and not only between rows.
    """
    from sweeper.aggregate.summary import describe_mixture
    from sweeper.runs.copies import describe_repeats
    from sweeper.runs.costs import describe_amounts
    from sweeper.runs.status import TOLD, Status

    runs = results.runs
    counts = Counter(run.status for run in runs)
    told = ", ".join(f"{counts[status]:,} {status}" for status in TOLD if counts[status])
    beside = f"; {counted(others, 'other')} in {folder}/" if others else ""
    yield f"{counted(len(runs), 'run')}: {told}{_left_out_words(results)}{beside}"
    if amounts := describe_amounts(runs):
        yield amounts
    if repeats := [one for one in results.left_out if one.is_repeat]:
        yield describe_repeats(repeats)
        yield from map(_repeat_line, repeats[:MOST_REASONS])
        if len(repeats) > MOST_REASONS:
            yield f"and {counted(len(repeats) - MOST_REASONS, 'more repeat')}"
    if mixture := describe_mixture(runs):
        where = f"{SUMMARY_FILE} tells in which rows: mixed" if in_rows else f"those of one row of {SUMMARY_FILE} were"
        yield f"these runs were not all made alike ({mixture}); {where}"
    if any(run.values.get("final_val_accuracy") is not None for run in runs):
        yield f"some held out validation images: choose among these by final_val_accuracy; {called('choose')} does"
    bad = [run for run in runs if run.status in (Status.FAILED, Status.DAMAGED) or _has_damaged_file(run)]
    for run in bad[:MOST_REASONS]:
        mend = f"; {run.mend}" if run.mend else ""
        yield f"{run.status}: {run.values['run']}: {run.values.get('error') or 'no reason was recorded'}{mend}"
    if len(bad) > MOST_REASONS:
        yield f"and {len(bad) - MOST_REASONS} more in {RESULTS_FILE}"
