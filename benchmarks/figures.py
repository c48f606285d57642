"""How the benchmarks' figures are written and read, and the tables of the pages that show them."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeper.system.errors import BadInput


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


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows))


def fill(page: Path, blocks: Mapping[str, str]) -> str:
    """The page's text with what stands between `<!-- name -->` and `<!-- /name -->` replaced."""
    text = page.read_text(encoding="utf-8")
    for name, block in blocks.items():
        mark = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not mark.search(text):
            raise BadInput(f"{page}: it has no place <!-- {name} --> … <!-- /{name} -->; put it where the table goes")
        text = mark.sub(lambda found, block=block: f"{found[1]}\n{block}\n\n{found[2]}", text)
    return text
