"""Tables as text: CSV with all digits for programs; Markdown, LaTeX and terminal with rounded numbers for readers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.aggregate.conclusions import seeds_note
from sweeper.aggregate.labels import kind_of, text
from sweeper.aggregate.latex import in_latex, tabular
from sweeper.aggregate.search_axes import followers
from sweeper.aggregate.summary import FIGURES, HEAD, VALIDATION, Block, Row, Summary
from sweeper.runs.rows import ARM
from sweeper.system.text import counted

NUMBERS = ("lr", "weight_decay", "epochs", "batch_size")  # no label of a task may tell them
BEST = "best epoch (chosen on test)"
FIGURE_NAMES = {"final_test_accuracy": "final", "best_test_accuracy": BEST, VALIDATION: "validation"}

# Characters at the beginning of a cell that make it a formula in a spreadsheet, full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

# Texts that pandas, R or a spreadsheet reads as a number, a bool or a missing value where they aren't in quotes.
_NO_TEXT = ("", "true", "false", "yes", "no", "na", "n/a", "#na", "#n/a", "<na>", "nan", "null", "none", "inf")
_LIKE_A_NUMBER = re.compile(r"[.\d]")
_NEEDS_QUOTES = re.compile(r'[,"\r\n]|^\s|\s$')


@dataclass
class ShownBlock:
    """The rows of one task.

    Attributes:
        title: the task's label, "" if there is one task only, and its answer in a line.
        header: its columns. Tasks with arms have those in which arms differ, other tasks not.
        note: stands below the rows.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""


@dataclass
class Shown:
    """A summary for readers: a block for each task, so that no order goes across tasks."""

    title: str
    blocks: list[ShownBlock]


def to_csv(columns: list[str], rows: Iterable[Row]) -> bytes:
    """CSV in UTF-8, one line per row: None is an empty cell, booleans are `true` or `false`, floats have all digits.

    A text that could be read as something else, such as `007`, `true`, `NA` or an empty one, is in quotes.
    """
    lines: list[list[Any]] = [columns, *([row.get(name) for name in columns] for row in rows)]
    return "".join(f"{','.join(map(_cell, line))}\n" for line in lines).encode()


def show(summary: Summary, answers: Mapping[str, str] | None = None) -> Shown:
    """Put values that all rows share into the title, and those that differ within a task into columns.

    The first column names what is compared: the arm or, without one, the optimizer.

    Tuned settings are ranked by validation accuracy, and their test accuracy isn't shown.

    Args:
        answers: a line for each task, by its label.
    """
    rows, blocks = summary.rows, summary.blocks
    by_arm = any(row[ARM] for row in rows)
    shared = [name for name in HEAD if (by_arm or name != "optimizer") and len({row[name] for row in rows}) == 1]
    if "noise_rate" not in shared:  # some rate may be 0, so each block's label says it
        shared = [name for name in shared if name != "noise"]
    told = [*HEAD, *(name for name in summary.differing if not _follows(name, rows))]
    own = {name for name in told if _differs(name, blocks)}
    columns_of = [[name for name in told if name in own and _has_column(name, block, blocks)] for block in blocks]
    counts = [name for name in ("n_diverged", "n_failed", "n_pruned") if any(row[name] for row in rows)]
    words = ", ".join(filter(None, (_words(name, rows[0]) for name in shared)))
    several = len(blocks) > 1
    if blocks and (at := blocks[0].tuned_at) and all(block.tuned_at == at for block in blocks):
        words += f", tuned at {at}"
    tuned = [block.tuned for block in blocks]
    figures = [VALIDATION] * any(tuned) + [*FIGURES] * (not blocks or not all(tuned))
    kind = "" if len(figures) > len(FIGURES) else "validation " if any(tuned) else "test "
    return Shown(
        f"{words}{': ' if words else ''}{kind}accuracy, mean ± standard deviation over n seeds",
        [
            ShownBlock(
                ": ".join(filter(None, (block.label * several, (answers or {}).get(block.label, "")))),
                [
                    kind_of(row[ARM] for row in block.rows),
                    *map(_heading, columns),
                    *(FIGURE_NAMES[f] for f in figures),
                    *(name.removeprefix("n_") for name in counts),
                ],
                [
                    [
                        row[ARM] or row["optimizer"],
                        *(text(row[name]) for name in columns),
                        *(accuracy(row, f) if (f == VALIDATION) == block.tuned else "–" for f in figures),
                        *(str(row[c]) for c in counts),
                    ]
                    for row in block.rows
                ],
                seeds_note() if block.adjusted else "",
            )
            for block, columns in zip(blocks, columns_of, strict=True)
        ],
    )


def _has_column(name: str, block: Block, blocks: Sequence[Block]) -> bool:
    """Whether a value that differs within some task has a column in this one. The columns are those of all tasks, but
    what differs between arms alone is in the tables of arms: other tasks' labels and titles tell what they are."""
    having = any(row[ARM] for row in block.rows)
    if name == "optimizer":  # elsewhere the first column says it
        return any(row[ARM] not in (None, row["optimizer"]) for row in block.rows)
    return having or name in NUMBERS or _differs(name, [one for one in blocks if not any(row[ARM] for row in one.rows)])


def _differs(name: str, blocks: Sequence[Block]) -> bool:
    """Whether a value differs within a task. What differs between tasks stands in their labels."""
    return any(len({text(row[name]) for row in block.rows}) > 1 for block in blocks)


def _follows(name: str, rows: Sequence[Row]) -> bool:
    """Whether an option, such as Muon's second rate, moves in proportion to lr or weight decay in every optimizer."""
    by_optimizer: dict[str, list[Row]] = {}
    for row in rows:
        if row.get(name) is not None:
            by_optimizer.setdefault(row["optimizer"], []).append(row)
    return all(
        name in followers([{key: row[key] for key in (name, "lr", "weight_decay")} for row in own])
        for own in by_optimizer.values()
    )


def accuracy(row: Row, figure: str) -> str:
    """Mean ± standard deviation, e.g. `94.12 ± 0.15 % (n = 3)`; without ± for a single value."""
    middle, spread = row[f"{figure}_mean"], row[f"{figure}_std"]
    if middle is None:
        return "– (n = 0)"
    around = "" if spread is None else f" ± {100 * spread:.2f}"
    return f"{100 * middle:.2f}{around} % (n = {row['n_judging' if figure == VALIDATION else 'n']})"


def to_markdown(shown: Shown) -> bytes:
    parts = [_in_markdown(shown.title)]
    for block in shown.blocks:
        lines = [block.header, ["---"] * len(block.header), *block.rows]
        table = ("| " + " | ".join(_in_markdown(cell) for cell in line) + " |" for line in lines)
        parts += [_in_markdown(block.title)] if block.title else []
        parts += ["\n".join(table), *([_in_markdown(block.note)] if block.note else [])]
    return ("\n\n".join(parts) + "\n").encode()


def to_latex(shown: Shown) -> bytes:
    """A LaTeX `tabular` for each task, with the rules of the package booktabs."""
    parts = [f"% {shown.title}\n" + r"% \usepackage{booktabs}"]
    for block in shown.blocks:
        header, *rows = [[in_latex(cell) for cell in line] for line in (block.header, *block.rows)]
        title = [f"{in_latex(block.title)}\n"] if block.title else []
        note = [f"\n{in_latex(block.note)}"] if block.note else []
        parts.append("\n".join([*title, tabular("l" * len(header), header, rows), *note]))
    return ("\n\n".join(parts) + "\n").encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    text = f"'{value}" if value.startswith(_FORMULA) else value
    quoted = text.lower() in _NO_TEXT or _LIKE_A_NUMBER.match(text) or _NEEDS_QUOTES.search(text)
    return '"' + text.replace('"', '""') + '"' if quoted else text


def _words(name: str, row: Row) -> str:
    """A value that all rows share, as words for the title."""
    value = row[name]
    if name == "noise_rate":
        return f"rate {text(value)}" if value is not None and row["noise"] != "none" else ""
    if name == "noise":
        return "no label noise" if value == "none" else f"{value} label noise"
    if name in ("dataset", "model"):
        return str(value)
    if name == "epochs":
        return counted(str(value), "epoch")
    return f"{name.replace('_', ' ')} {text(value)}" if value is not None else ""


def _heading(name: str) -> str:
    return name.replace("_", " ") if name in HEAD else name  # options keep their names on the command line


def _in_markdown(cell: str) -> str:
    return "".join(f"\\{c}" if c in r"\|*_`<>[]~&$#" else c for c in cell)
