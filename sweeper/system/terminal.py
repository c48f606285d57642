"""Writing to the terminal."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

from sweeper.system.text import printable_lines


def say(text: str, end: str = "\n", styled: bool = False) -> None:
    """Print to stdout and flush, in stdout's encoding. A closed pipe, such as after `head`, is no error.

    Args:
        styled: the text has escape sequences of ours, around texts that are printable already.
    """
    text = text if styled else printable_lines(text)
    encoding = sys.stdout.encoding or "utf-8"
    with writing_stdout():
        print(text.encode(encoding, "replace").decode(encoding), end=end, flush=True)


class PrintableLines(logging.Formatter):
    """Formats log messages, which may have texts of records and of errors in them, for a terminal and a file."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


@contextlib.contextmanager
def writing_stdout() -> Iterator[None]:
    """A context for writing to stdout: a closed pipe is no error, and a full disk's error names `standard output`."""
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discard further output
        if not isinstance(error, BrokenPipeError):  # stdout is redirected to a full disk
            error.filename = "standard output"
            raise
