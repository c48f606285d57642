"""What the benchmarks that keep their figures share: their command lines, and how the file is written."""

import argparse
import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def add_csv(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--csv", metavar="FILE", help="also write the figures there")


def take_no_options(module: str, description: str | None) -> None:
    """The command line of a benchmark without options: `--help` tells what it does, any other word is an error."""
    argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()


def count(text: str) -> int:
    """The type of an option that is a number of something: at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a whole number from 1 on")
    return int(text)


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write each row when it comes, since the next may take minutes; a figure that it lacks is an empty cell.

    Raises:
        ValueError: a row has a figure that is in no column.
    """
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(row)
            file.flush()
