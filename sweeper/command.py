"""What the commands that read runs have in common: options that are refused in one line, and errors as exit codes."""

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from sweeper import __version__
from sweeper.errors import BadInput


class Parser(argparse.ArgumentParser):
    """Knows the folders of runs and `--version`; raises BadInput where argparse prints a page of usage and exits."""

    def __init__(self, module: str, description: str) -> None:
        super().__init__(prog=f"python -m sweeper.{module}", description=description)
        words = "folders of runs (default: outputs)"
        self.add_argument("outputs", nargs="*", default=["outputs"], type=_folder, help=words)
        self.add_argument("--version", action="version", version=f"sweeper {__version__}")

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see {self.prog} --help")


def _folder(text: str) -> str:
    """As `sweeper.train` has it, outputs=DIR, too."""
    return text.removeprefix("outputs=")


def say(text: str, end: str = "\n") -> None:
    """Print to stdout at once, in whatever encoding it has; a reader that has seen enough is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    with quiet_pipe():
        print(text.encode(encoding, "replace").decode(encoding), end=end, flush=True)


@contextlib.contextmanager
def quiet_pipe() -> Iterator[None]:
    """Around what is printed: when stdout's reader, such as `head`, is gone, all further words go nowhere."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def writing(folder: Path, advice: str) -> Iterator[None]:
    """Around the making of `folder` and the writing of its files: what fails becomes BadInput that ends in `advice`."""
    try:
        yield
    except OSError as error:
        file, reason = error.filename or folder, error.strerror or error
        raise BadInput(f"{file}: can't be written: {reason}; {advice}") from error


def elsewhere(module: str, outputs: Sequence[str]) -> str:
    """The advice for results that have no place in `outputs`. Whoever reads it may have called another command, which
    called this one.

    >>> elsewhere("report", ["my runs"])
    "python -m sweeper.report 'my runs' --into DIR writes elsewhere"
    """
    return f"{shlex.join(['python', '-m', f'sweeper.{module}', *outputs, '--into', 'DIR'])} writes elsewhere"


def exit_code_of(command: Callable[[], None]) -> int:
    """0 when the command came to its end, 2 for bad input or a file that can't be written, 130 by Ctrl-C."""
    try:
        with quiet_pipe():
            command()
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
