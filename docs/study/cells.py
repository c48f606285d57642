"""Tables and means as a study's page and the READMEs write them."""

from collections.abc import Iterable, Sequence
from statistics import mean, stdev

from sweeper.report.tables import PageTable


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def shown(of: PageTable) -> str:
    """A table of the page."""
    return table(of.header, [[cell.text for cell in line.cells] for line in of.rows])


def mean_words(shares: Sequence[float]) -> str:
    around = f" ± {100 * stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{100 * mean(shares):.2f}{around} % (n = {len(shares)})" if shares else "– (n = 0)"
