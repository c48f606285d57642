"""`sweeper tune --json`: one JSON document on standard output at the end; all that is printed else goes to stderr."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sweeper.system.document import print_document


@dataclass
class Told:
    """What the document says; see docs/schemas/tune.json.

    Attributes:
        outputs: the folder of the comparison.
        tuning: the folder of search and confirmation.
        runs: how many each step has, as its records extend the grid before it begins.
        seconds: that the runs which are left take, by `--plan`.
        preset: its folder and its name, when it is written.
        tuned: what was chosen of each optimizer, and how.
        comparison: the document of `sweeper train --json`.
    """

    outputs: str | None = None
    tuning: str | None = None
    runs: dict[str, int] | None = None
    seconds: float | None = None
    preset: dict[str, str] | None = None
    tuned: list[dict[str, Any]] = field(default_factory=list)
    comparison: dict[str, Any] | None = None


def answer_in_json(tune: Callable[[Told], int]) -> int:
    """Call the command and print its document. Returns the command's exit code.

    Args:
        tune: the command; it fills in what it finds.
    """
    told = Told()
    return print_document(lambda: tune(told), lambda: vars(told))
