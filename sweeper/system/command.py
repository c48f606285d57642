"""What the commands share: an argument parser with one-line errors, and the exit codes."""

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from sweeper import __version__
from sweeper.system.errors import BadInput, RunFailed
from sweeper.system.files import say_what_failed
from sweeper.system.terminal import writing_stdout
from sweeper.system.text import printable


def called(command: str = "") -> str:
    """How a user starts a command the way this process was started: by `sweeper`, by the command's own script, or as a
    module.

    >>> called("train"), called()
    ('python -m sweeper.train', 'python -m sweeper')
    """
    program = Path(sys.argv[0]).name
    if program == "sweeper":
        return f"sweeper {command}".rstrip()
    if program.startswith("sweeper-") and command:
        return f"sweeper-{command}"
    return f"python -m sweeper.{command}".rstrip(".")


class Parser(argparse.ArgumentParser):
    """An argument parser with the folders of runs and `--version`; an error raises BadInput instead of exiting."""

    def __init__(self, module: str, description: str) -> None:
        super().__init__(prog=called(module), description=description)
        words = "folders of runs (default: outputs)"
        self.add_argument("outputs", nargs="*", default=["outputs"], type=_folder, help=words)
        self.add_argument("--version", action="version", version=f"sweeper {__version__}")

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see {self.prog} --help")


def _folder(text: str) -> str:
    """The folder; `outputs=DIR`, as `sweeper.train` takes it, is accepted too."""
    return text.removeprefix("outputs=")


@contextlib.contextmanager
def writing(folder: Path, advice: str) -> Iterator[None]:
    """Turn an OSError raised while `folder` and its files are written into BadInput that ends in `advice`."""
    try:
        yield
    except OSError as error:
        file, reason = error.filename or folder, error.strerror or error
        raise BadInput(f"{file}: can't be written: {reason}; {advice}") from error


def elsewhere(module: str, outputs: Sequence[str]) -> str:
    """The advice for results that can't be written into `outputs`: the whole command, since another may have called it.

    >>> elsewhere("report", ["my runs"])
    "python -m sweeper.report 'my runs' --into DIR writes elsewhere"
    """
    return f"{called(module)} {shlex.join([*outputs, '--into', 'DIR'])} writes elsewhere"


def exit_code_of(command: Callable[[], int | None]) -> int:
    """Call a command and return its exit code: its own, 0 for None; 1 for a failed run; 2 for bad input or a file that
    can't be read or written; 130 after Ctrl-C. Errors are printed in one line."""
    if sys.stdout is None:  # closed, as by `>&-`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    try:
        try:
            return command() or 0
        finally:
            with writing_stdout():
                sys.stdout.flush()  # what argparse printed
    except (BadInput, RunFailed) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 2 if isinstance(error, BadInput) else 1
    except OSError as error:
        print(f"error: {printable(say_what_failed(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
