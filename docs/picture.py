"""`python docs/picture.py OUTPUTS FILE.svg`: the summary of a folder of runs as a picture for the README."""

import re
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeper.aggregate.summary import summarize
from sweeper.aggregate.tables import show
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import answer_task
from sweeper.report.looks import DARK, looks
from sweeper.runs.results import read_results


def main(outputs: str, file: str) -> None:
    runs = read_results([outputs]).runs
    shown = show(summarize(runs), {task.label: answer_task(task) for task in group_tasks(runs)})
    (block,) = shown.blocks
    title = f"{shown.title}\n\n{block.title}"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="")
    for name in shown.header:
        table.add_column(name, no_wrap=True)
    look = looks(row[0].split(", ")[0] for row in block.rows)  # before the comma stands the optimizer
    for name, *cells in block.rows:
        table.add_row(Text(name, DARK[look[name.split(", ")[0]].hue]), *cells)
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=100, file=nowhere, force_terminal=True)
        console.print(table)
        picture = console.export_svg(title="make sweep")
    # Without the fonts that a browser would fetch: any monospaced one does.
    Path(file).write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
