"""Makes a folder's tables and page anew where a command was stopped, or its disk was full, before it could."""

from collections.abc import Iterable
from pathlib import Path

from sweeper.aggregate.command import aggregate
from sweeper.report.command import report
from sweeper.runs.layout import PAGE_FILE, RESULTS_FILE, SUMMARY_FILE
from sweeper.system.errors import BadInput
from sweeper.system.files import when_written
from sweeper.system.terminal import tell

MADE = (RESULTS_FILE, SUMMARY_FILE, PAGE_FILE)


def are_made(outputs: Path, since: Iterable[Path]) -> bool:
    """Whether tables and page are there and were written after these files, of which they tell."""
    made = [when_written(outputs / name) for name in MADE]
    latest = max((when_written(path) or 0 for path in since), default=0)
    return all(when is not None and when > latest for when in made)


def make_anew(outputs: Path) -> list[Path] | None:
    """Make tables and page. Returns the page's files; None if they can't be written, which a line says."""
    try:
        aggregate([str(outputs)], None, ["csv"])
        return report([str(outputs)])
    except BadInput as error:
        tell(str(error))
        return None
