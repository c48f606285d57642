"""Tables as text: CSV with all digits for programs; Markdown, LaTeX and terminal with rounded numbers for readers."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sweeper.aggregate.summary import FIGURES, HEAD, Row, Summary

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "–": "--"}
_LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
_LATEX |= {c: f"{{{c}}}" for c in "[]*"}  # after a line break LaTeX would read them as its options
_LATEX |= {c: f"\\{c}" for c in "&%$#_{}"}
# Characters at the beginning of a cell that make it a formula in a spreadsheet, full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

# Texts that pandas, R or a spreadsheet reads as a number, a bool or a missing value where they aren't in quotes.
_NO_TEXT = ("", "true", "false", "yes", "no", "na", "n/a", "#na", "#n/a", "<na>", "nan", "null", "none", "inf")
_LIKE_A_NUMBER = re.compile(r"[.\d]")
_NEEDS_QUOTES = re.compile(r'[,"\r\n]|^\s|\s$')


@dataclass
class Shown:
    """A summary for readers. `sections` has the index of the first row of each data set, model and noise."""

    title: str
    header: list[str]
    rows: list[list[str]]
    sections: list[int]


def to_csv(columns: list[str], rows: Iterable[Row]) -> bytes:
    """CSV in UTF-8, one line per row: None is an empty cell, booleans are `true` or `false`, floats have all digits.

    A text that could be read as something else, such as `007`, `true`, `NA` or an empty one, is in quotes.
    """
    lines: list[list[Any]] = [columns, *([row.get(name) for name in columns] for row in rows)]
    return "".join(f"{','.join(map(_cell, line))}\n" for line in lines).encode()


def show(summary: Summary) -> Shown:
    """Put values that all rows share into the title, and those that differ into columns, so that all rows differ."""
    rows = summary.rows
    varying = [name for name in HEAD if name == "optimizer" or len({row[name] for row in rows}) > 1]
    columns = ["optimizer", *(name for name in varying if name != "optimizer"), *summary.differing]
    counts = [name for name in ("n_diverged", "n_failed", "n_pruned") if any(row[name] for row in rows)]
    where = [tuple(row[name] for name in ("dataset", "model", "noise", "noise_rate")) for row in rows]
    shared = ", ".join(filter(None, (_words(name, rows[0]) for name in HEAD if rows and name not in varying)))
    return Shown(
        f"{shared}{': ' if shared else ''}test accuracy, mean ± standard deviation over n seeds",
        [*(_heading(name) for name in columns), "final", "best", *(name.removeprefix("n_") for name in counts)],
        [
            [
                *(text(row[name]) for name in columns),
                *(accuracy(row, f) for f in FIGURES),
                *(str(row[c]) for c in counts),
            ]
            for row in rows
        ],
        [k for k in range(len(rows)) if k == 0 or where[k] != where[k - 1]],
    )


def accuracy(row: Row, figure: str) -> str:
    """Mean ± standard deviation, e.g. `94.12 ± 0.15 % (n = 3)`; without ± for a single value."""
    middle, spread = row[f"{figure}_mean"], row[f"{figure}_std"]
    if middle is None:
        return "– (n = 0)"
    around = "" if spread is None else f" ± {100 * spread:.2f}"
    return f"{100 * middle:.2f}{around} % (n = {row['n']})"


def text(value: Any) -> str:
    """A value with all its digits; `–` for None."""
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)


def to_markdown(shown: Shown) -> bytes:
    lines = [shown.header, ["---"] * len(shown.header), *shown.rows]
    table = ("| " + " | ".join(_in_markdown(cell) for cell in line) + " |" for line in lines)
    return "\n".join([_in_markdown(shown.title), "", *table, ""]).encode()


def to_latex(shown: Shown) -> bytes:
    """A LaTeX `tabular` with the rules of the package booktabs."""
    lines = [" & ".join(map(_in_latex, line)) + r" \\" for line in (shown.header, *shown.rows)]
    return "\n".join(
        [
            f"% {shown.title}",
            r"% \usepackage{booktabs}",
            rf"\begin{{tabular}}{{{'l' * len(shown.header)}}}",
            r"\toprule",
            lines[0],
            *(rf"\midrule{chr(10)}{line}" if k in shown.sections else line for k, line in enumerate(lines[1:])),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    ).encode()


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
        return f"{value} epoch" + "s" * (value != 1)
    return f"{name.replace('_', ' ')} {text(value)}" if value is not None else ""


def _heading(name: str) -> str:
    return name.replace("_", " ") if name in HEAD else name  # options keep their names on the command line


def _in_markdown(cell: str) -> str:
    return "".join(f"\\{c}" if c in r"\|*_`<>[]~&$#" else c for c in cell)


def _in_latex(cell: str) -> str:
    return "".join(_LATEX.get(c, c) for c in cell)
