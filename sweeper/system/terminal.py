"""Writing to the terminal, and what happens when it is closed."""

import contextlib
import errno
import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator

from sweeper.system.text import printable, printable_lines


def say(text: str, end: str = "\n", styled: bool = False) -> None:
    """Print to stdout and flush, in stdout's encoding. A closed pipe, such as after `head`, is no error.

    Args:
        styled: the text has escape sequences of ours, around texts that are printable already.
    """
    text = text if styled else printable_lines(text)
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


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Let this process and those that it starts write to stderr instead of stdout."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def heeded(signals: Iterable[signal.Signals]) -> list[signal.Signals]:
    """The signals without SIGHUP if this process was started to ignore it, as by `nohup`."""
    return [n for n in signals if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]


def leave_closed_terminal() -> None:
    """Discard further output to a terminal that has been closed: writing to it raises an error."""
    import termios  # not available on Windows

    for stream in (1, 2):
        try:
            termios.tcgetattr(stream)
        except termios.error as error:
            if error.args[0] == errno.EIO:  # others: it isn't a terminal
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def exit_when_terminated() -> None:
    """Let SIGTERM and SIGHUP raise SystemExit, so that open contexts can restore the terminal."""

    def leave(number: int, frame: object) -> None:
        leave_closed_terminal()
        sys.exit(128 + number)

    for number in heeded((signal.SIGTERM, signal.SIGHUP)):
        signal.signal(number, leave)
