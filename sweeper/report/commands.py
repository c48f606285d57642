"""The commands of many runs, which are alike in most of their words, in a form that takes little room in the page."""

from dataclasses import replace
from typing import Any

from sweeper.report.tables import PageTable

WRITTEN_OUT = 300  # commands at most; of more, the page's script writes them into the table


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
    counts: dict[str, int] = {}
    for word in (word for command in commands for word in command):
        counts[word] = counts.get(word, 0) + 1
    words = sorted(counts, key=lambda word: -counts[word])
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
