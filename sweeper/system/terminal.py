"""Writing to the terminal."""

import contextlib
import os
import sys
from collections.abc import Iterator


def say(text: str, end: str = "\n") -> None:
    """Print to stdout at once, in whatever encoding it has; that its reader, such as `head`, is gone is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    with _writing_stdout():
        print(text.encode(encoding, "replace").decode(encoding), end=end, flush=True)


@contextlib.contextmanager
def _writing_stdout() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # all further words go nowhere
        if not isinstance(error, BrokenPipeError):  # the file that it is redirected to has no room
            error.filename = "standard output"
            raise
