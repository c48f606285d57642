"""The mark by which a page tells of which runs it was made, and with which margin."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from sweeper.aggregate.contents import Contents
from sweeper.aggregate.tables import to_csv
from sweeper.system.files import read_start

NAME = "sweeper-runs"
WITHIN = 4096  # the bytes at a page's beginning that have it

_MARK = re.compile(rf'<meta name="{NAME}" content="([0-9a-f]{{64}})(?: ([\d.e+-]+))?">')


@dataclass(frozen=True)
class Mark:
    """Of a page.

    Attributes:
        digest: see `digest_of`.
        margin: of equivalence, as a share.
    """

    digest: str
    margin: float | None

    def element(self) -> str:
        """As the page has it."""
        return f'<meta name="{NAME}" content="{self.digest}{"" if self.margin is None else f" {self.margin!r}"}">'


def digest_of(contents: Contents) -> str:
    """The SHA-256 of the summary, which has what is compared with what, and of the rows of `results.csv`, without the
    folders' names, which depend on where a command is called."""
    columns = [name for name in contents.results.columns() if name != "outputs"]
    rows = sorted(to_csv(columns, [run.values]) for run in contents.results.runs)
    return hashlib.sha256(b"".join([*rows, *contents.files("markdown").values()])).hexdigest()


def read_mark(page: Path) -> Mark | None:
    """None for a page of an earlier version, or of something else.

    Raises:
        OSError: it can't be read.
    """
    found = _MARK.search(read_start(page, WITHIN).decode(errors="replace"))
    if found is None:
        return None
    try:
        margin = None if found[2] is None else float(found[2])
    except ValueError:
        return None
    return Mark(found[1], margin) if margin is None or 0 < margin < 1 else None
