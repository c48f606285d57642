"""What the commands that read runs have in common: options that are refused in one line, and errors as exit codes."""

import argparse
import sys
from collections.abc import Callable
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


def exit_code_of(command: Callable[[], None]) -> int:
    """0 when the command came to its end, 2 for bad input or a file that can't be written, 130 by Ctrl-C."""
    try:
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
