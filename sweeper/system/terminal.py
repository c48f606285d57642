"""Writing to the terminal."""

import contextlib
import os
import sys
from collections.abc import Iterator

from sweeper.system.text import printable


def say(text: str, end: str = "\n") -> None:
    """Print to stdout and flush, in stdout's encoding. A closed pipe, such as after `head`, is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    with writing_stdout():
        print(text.encode(encoding, "replace").decode(encoding), end=end, flush=True)


def tell(text: str) -> None:
    """Print a line of printable text to stderr and flush. One that can't be written is dropped: no command fails for
    its news."""
    stream = sys.stderr
    if stream is not None:  # without one, print would take stdout
        encoding = stream.encoding or "utf-8"
        with contextlib.suppress(OSError):
            print(printable(text).encode(encoding, "replace").decode(encoding), file=stream, flush=True)


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
