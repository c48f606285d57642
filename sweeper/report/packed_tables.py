"""Tables of many rows in a form that takes little room: the page's script writes their cells.

A cell is the place of its form, which is its kind and the texts between its numbers, and these numbers. The commands of
runs are alike in most of their words and have a form of their own.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sweeper.report.tables import Cell, PageTable

WRITTEN_OUT = 300  # rows of all tables together, and commands; of more, the page's script writes them

_NUMBER = re.compile(r"\b[0-9a-f]{8}\b|[0-9]+(?:[.,][0-9]+)*")  # the hash of a run's name, too
_FIRST = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")


def pack_tables(tables: Mapping[str, PageTable]) -> dict[str, Any]:
    """Take the rows of tables that have many together; they keep their number of rows.

    Returns:
        `forms`, and `of`: for each table by its name the cells of its columns, joined by `|`, or the one that all rows
        have; what they are sorted by, if that isn't their text or first number; and which rows are minor.
    """
    if sum(len(table.rows) for table in tables.values()) <= WRITTEN_OUT:
        return {"forms": [], "of": {}}
    forms: dict[str, int] = {}
    packed = {}
    for name, table in tables.items():
        if table.rows:
            columns = [[row.cells[k] for row in table.rows] for k in range(len(table.header))]
            packed[name] = {
                "rows": len(table.rows),
                "columns": [_column(cells, forms) for cells in columns],
                "minor": [k for k, row in enumerate(table.rows) if row.minor],
            }
            table.packed = True
    return {"forms": [json.loads(form) for form in forms], "of": packed}


def take_commands(table: PageTable) -> dict[str, Any]:
    """Empty the commands' cells of a table of many runs, in its last column.

    Returns:
        `words`, and `of`, for each row what differs from the row before: pairs of a word's place in the command and of
        its place in `words`; -1 and then all words where their number differs. Both are empty for a table that keeps
        its commands.
    """
    if len(table.rows) <= WRITTEN_OUT:
        return {"words": [], "of": []}
    commands = [row.cells[-1].text.split(" ") for row in table.rows]
    words = [word for word, _ in Counter(word for command in commands for word in command).most_common()]
    places = {word: place for place, word in enumerate(words)}
    for row in table.rows:
        row.cells[-1] = replace(row.cells[-1], text="")
    told, before = list[list[int]](), list[int]()
    for command in commands:
        now = [places[word] for word in command]
        changes = [(k, word) for k, (word, other) in enumerate(zip(now, before, strict=False)) if word != other]
        told.append([x for pair in changes for x in pair] if len(now) == len(before) else [-1, *now])
        before = now
    return {"words": words, "of": told}


def _column(cells: list[Cell], forms: dict[str, int]) -> dict[str, Any]:
    told = []
    for cell in cells:
        form = json.dumps([cell.kind, *_NUMBER.split(cell.text)])
        told.append(" ".join([str(forms.setdefault(form, len(forms))), *_NUMBER.findall(cell.text)]))
    column = {"cells": told[0] if len(set(told)) == 1 else "|".join(told)}
    sorts = [cell.sort for cell in cells]
    if not any(sort is not None for sort in sorts):
        return column
    if any(all(_is_first(cell, factor) for cell in cells) for factor in (1, 0.01)):
        return column | {"first": True}
    return column | {"sort": [float(f"{s:.6g}") if isinstance(s, float) and abs(s) < 1e300 else s for s in sorts]}


def _is_first(cell: Cell, factor: float) -> bool:
    """Whether a cell's sort key is the first number of its text, but for its rounding, times a factor."""
    found = _FIRST.search(cell.text.replace("\u2212", "-"))
    if found is None or isinstance(cell.sort, str) or cell.sort is None:
        return found is None and cell.sort == ""
    digits = len(found[0].partition(".")[2])
    return abs(float(found[0].replace(",", "")) * factor - cell.sort) <= factor * 0.501 * 10**-digits
