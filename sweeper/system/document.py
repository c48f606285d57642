"""What `--json` prints: one document on standard output at the end; all that is printed else goes to standard error."""

import json
from collections.abc import Callable
from typing import Any

from sweeper.system.command import exit_code_of, with_cause
from sweeper.system.errors import BadInput, RunFailed, named, one_line
from sweeper.system.terminal import say, stdout_to_stderr


def print_document(command: Callable[[], int], content: Callable[[], dict[str, Any]]) -> int:
    """Call a command and print its document, however the command ends. Returns its exit code.

    Args:
        content: what the document has beside `exit_code` and `error`, the line that ended the command or null.
    """
    told: list[str] = []

    def telling() -> int:
        try:
            with stdout_to_stderr():
                return command()
        except Exception as error:
            told.append(with_cause(one_line(error) if isinstance(error, (BadInput, RunFailed)) else named(error)))
            raise

    def show() -> None:
        document = {"exit_code": code, "error": told[0] if told else None} | content()
        say(json.dumps(document, indent=1, allow_nan=False))

    code = exit_code_of(telling)
    return exit_code_of(show) or code
