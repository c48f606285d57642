"""Commands of many runs are written once a word, and none is lost."""

import json

from sweeper.report.commands import WRITTEN_OUT, take_commands
from sweeper.report.tables import Cell, Line, PageTable


def make_table(runs):
    commands = [f"python -m sweeper.train optimizer=sgd  'tag=a b' seed={k}" for k in range(runs)]
    commands[7] += " epochs=3"  # one that has more words
    return commands, PageTable(["run", "command"], [Line([Cell("run"), Cell(c, kind="command")]) for c in commands])


def test_commands_of_many_runs_are_whole_and_small():
    commands, table = make_table(WRITTEN_OUT + 1)
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
    commands, table = make_table(WRITTEN_OUT)
    assert take_commands(table) == {"words": [], "of": []}
    assert [row.cells[-1].text for row in table.rows] == commands
