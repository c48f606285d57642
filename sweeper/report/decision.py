"""The page's section of decisions: the rule, each look at each pair, and the sentence of the end."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from sweeper.aggregate.points import margin_words, points
from sweeper.report.places import without_folders
from sweeper.report.tables import Cell, Line, PageTable, sort_key
from sweeper.runs.layout import DECISION_FILE
from sweeper.system.files import read_file
from sweeper.system.limits import RECORD_BYTES
from sweeper.system.text import printable

HEADER = ["look", "seeds", "first", "second", "n", "difference", "interval", "state"]


@dataclass(frozen=True)
class ShownDecision:
    """A decision as the page shows it.

    Attributes:
        answer: the sentence of the end.
        rule: in a sentence each, and the field and the tunings, if there are any.
        looks: a line for each look at each pair.
    """

    answer: str
    rule: list[str] = field(default_factory=list)
    looks: PageTable = field(default_factory=PageTable)


def read_decisions(outputs: Iterable[str | PathLike[str]]) -> list[ShownDecision]:
    """The decisions of folders of runs. A file that can't be read is reported in its place."""
    paths = [Path(folder) / DECISION_FILE for folder in outputs]
    return [_read(path) for path in paths if path.is_file()]


def _read(path: Path) -> ShownDecision:
    try:
        found = json.loads(read_file(path, RECORD_BYTES))
        return ShownDecision(_shown(found["answer"]), _rule(found), _looks(found["looks"]))
    except OSError as error:
        return ShownDecision(f"{DECISION_FILE} can't be read ({error.strerror or error}), so it isn't shown.")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ShownDecision(f"{DECISION_FILE} isn't a decision's file, so it isn't shown.")


def _rule(found: dict[str, Any]) -> list[str]:
    rule = found["rule"]
    margin = "" if rule["margin"] is None else f" Equivalent: within {margin_words(rule['margin'])}."
    said = [
        f"Looks at {', '.join(f'{seeds:d}' for seeds in rule['looks'])} seeds, fixed before the first run. "
        f"The error of all looks and pairs together is at most {100 * rule['level']:g} %.{margin}"
    ]
    if "field" in found:
        said.append(f"Compared with finished runs: {_shown(found['field'])}.")
    for name, tuned in found.get("tuned", {}).items():
        values = ", ".join(f"{option} {value:g}" for option, value in tuned["values"].items())
        said.append(_shown(f"{name}: {tuned['rule']}. Chosen: {values}; {tuned['chosen']}."))
    return said


def _looks(looks: list[dict[str, Any]]) -> PageTable:
    table = PageTable(list(HEADER))
    for number, look in enumerate(looks, 1):
        for pair in look["pairs"]:
            low, high = pair["low"], pair["high"]
            difference, shown = pair["difference"], "–" if None in (low, high) else f"{points(low)} to {points(high)}"
            cells = [
                Cell(str(number), number, "number"),
                Cell(f"{look['seeds']:d}", look["seeds"], "number"),
                Cell(_shown(pair["a"])),
                Cell(_shown(pair["b"])),
                Cell(f"{pair['n']:d}", pair["n"], "number"),
                Cell("–" if difference is None else points(difference), sort_key(difference), "number"),
                Cell(shown, sort_key(low), "number"),
                Cell(_shown("; ".join([pair["verdict"], *_diverged(pair, look)]))),
            ]
            table.rows.append(Line(cells))
    return table


def _diverged(pair: dict[str, Any], look: dict[str, Any]) -> list[str]:
    counts = look.get("diverged", {})
    return [f"{arm} diverged in {counts[arm]:d}" for arm in (pair["a"], pair["b"]) if arm in counts]


def _shown(text: str) -> str:
    return without_folders(printable(text))
