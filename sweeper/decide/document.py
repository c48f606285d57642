"""`sweeper decide --json`: one JSON document on standard output at the end; all that is printed else goes to stderr."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.layout import DECISION_FILE
from sweeper.system.command import exit_code_of
from sweeper.system.errors import BadInput, RunFailed, named, one_line
from sweeper.system.terminal import say, stdout_to_stderr


@dataclass
class Told:
    """What the document says of a decision: its folder, what its file holds, and the last sentence."""

    outputs: Path | None = None
    decision: dict[str, Any] | None = None
    answer: str | None = None
    error: str | None = None


def answer_in_json(decide: Callable[[Told], int]) -> int:
    """Call the command and print its document. Returns the command's exit code.

    Args:
        decide: the command; it fills in what it finds.
    """
    told = Told()

    def command() -> int:
        try:
            with stdout_to_stderr():
                return decide(told)
        except Exception as error:
            told.error = one_line(error) if isinstance(error, (BadInput, RunFailed)) else named(error)
            raise

    code = exit_code_of(command)
    return exit_code_of(lambda: say(json.dumps(_document(told, code), indent=1, allow_nan=False))) or code


def _document(told: Told, code: int) -> dict[str, Any]:
    """See docs/schemas/decide.json."""
    return {
        "exit_code": code,
        "error": told.error,
        "outputs": None if told.outputs is None else str(told.outputs),
        "answer": told.answer,
        "file": None if told.outputs is None or told.decision is None else str(told.outputs / DECISION_FILE),
        "decision": told.decision,
    }
