"""Tables that the page's script writes have every cell and every command that they had, and take less room."""

import json
import random

import pytest

from sweeper.report.packed_tables import WRITTEN_OUT, pack_tables, take_commands
from sweeper.report.tables import Cell, Line, PageTable

HEADER = ["run", "final", "interval", "rank", "training", "verdict"]


def make_table(rows):
    numbers, table = random.Random(0), PageTable(list(HEADER))
    for k in range(rows):
        value, name = numbers.random(), f"{numbers.getrandbits(32):08x}"
        cells = [
            Cell(f"cifar10-cnn/sgd-seed{k}-{name}"),
            Cell(f"{100 * value:.2f} ± 1.5 % (n = 3)", value, "number") if k else Cell("–", "", "number"),
            Cell(f"−{value:.2f} to +1,234.50", -value, "number"),
            Cell(f"{k}–{k + 2}", k, "number"),
            Cell(f"{k // 60} h {k % 60} min" if k >= 60 else f"{k} min", 60.0 * k, "number"),
            Cell("a" if k % 2 else f"No <b>difference</b>; a gap up to {value:.2f} points | remains.", kind="wide"),
        ]
        table.rows.append(Line(cells, minor=k % 7 == 0))
    return table


def unpack(packed, name):
    """As the page's script does; of a cell its text and kind, and what it is sorted by."""
    table = packed["of"][name]
    rows = [[] for _ in range(table["rows"])]
    for column in table["columns"]:
        told = column["cells"].split("|")
        for k, row in enumerate(rows):
            place, *numbers = (told[k] if len(told) > 1 else told[0]).split(" ")
            kind, first, *texts = packed["forms"][int(place)]
            text = first + "".join(number + after for number, after in zip(numbers, texts, strict=True))
            row.append((text, kind, "first" if column.get("first") else column.get("sort", [None] * len(rows))[k]))
    return rows, table["minor"]


def test_every_cell_is_there_and_the_room_is_a_third():
    table = make_table(WRITTEN_OUT + 1)
    cells = [[(cell.text, cell.kind, cell.sort) for cell in row.cells] for row in table.rows]
    packed = json.loads(json.dumps(pack_tables({"runs": table, "none": PageTable(["run"])})))
    rows, minor = unpack(packed, "runs")
    assert [[cell[:2] for cell in row] for row in rows] == [[cell[:2] for cell in row] for row in cells]
    assert minor == list(range(0, WRITTEN_OUT + 1, 7)) and table.packed and list(packed["of"]) == ["runs"]
    sorts = [[row[k][2] for row in rows] for k in range(len(HEADER))]
    assert set(sorts[0]) == set(sorts[5]) == {None}
    assert set(sorts[1]) == set(sorts[2]) == set(sorts[3]) == {"first"}, "the first number of the text, in any unit"
    assert sorts[4] == [row[4][2] for row in cells], "hours and minutes aren't sorted by their first number"
    assert len(json.dumps(packed)) < 0.4 * len(json.dumps(cells))


@pytest.mark.parametrize(("rows", "kept"), [(WRITTEN_OUT, True), (WRITTEN_OUT + 1, False)])
def test_few_rows_stay_in_the_page_and_many_small_tables_are_many_rows(rows, kept):
    tables = {f"pairs-{k}": make_table(1) for k in range(rows)}
    assert (pack_tables(tables) == {"forms": [], "of": {}}) is kept
    assert {table.packed for table in tables.values()} == {not kept}


def with_commands(runs):
    commands = [f"python -m sweeper.train optimizer=sgd  'tag=a b' seed={k}" for k in range(runs)]
    commands[7] += " epochs=3"  # one that has more words
    return commands, PageTable(["run", "command"], [Line([Cell("run"), Cell(c, kind="command")]) for c in commands])


def test_commands_of_many_runs_are_whole_and_small():
    commands, table = with_commands(WRITTEN_OUT + 1)
    taken = take_commands(table)
    told, places = [], []
    for changes in taken["of"]:  # as the page's script does
        places = changes[1:] if changes[0] == -1 else list(places)
        if changes[0] != -1:
            for place, word in zip(changes[::2], changes[1::2], strict=True):
                places[place] = word
        told.append(" ".join(taken["words"][place] for place in places))
    assert told == commands
    assert {row.cells[-1].text for row in table.rows} == {""}
    assert len(json.dumps(taken)) < 0.5 * len(json.dumps(commands))


def test_those_of_few_stay_in_their_table():
    commands, table = with_commands(WRITTEN_OUT)
    assert take_commands(table) == {"words": [], "of": []}
    assert [row.cells[-1].text for row in table.rows] == commands
