"""`sweeper decide --json`: one JSON document on standard output at the end; all that is printed else goes to stderr."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.layout import DECISION_FILE
from sweeper.system.document import print_document


@dataclass
class Told:
    """What the document says of a decision: its folder, what its file holds, and the last sentence."""

    outputs: Path | None = None
    decision: dict[str, Any] | None = None
    answer: str | None = None


def answer_in_json(decide: Callable[[Told], int]) -> int:
    """Call the command and print its document. Returns the command's exit code.

    Args:
        decide: the command; it fills in what it finds.
    """
    told = Told()
    return print_document(lambda: decide(told), lambda: _document(told))


def _document(told: Told) -> dict[str, Any]:
    """See docs/schemas/decide.json."""
    return {
        "outputs": None if told.outputs is None else str(told.outputs),
        "answer": told.answer,
        "file": None if told.outputs is None or told.decision is None else str(told.outputs / DECISION_FILE),
        "decision": told.decision,
    }
