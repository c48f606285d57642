"""What the commands share: an argument parser with one-line errors, and the exit codes."""

import argparse
import contextlib
import importlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sweeper import __version__
from sweeper.system.errors import BadInput, RunFailed, like_flag, named, repeated
from sweeper.system.files import say_what_failed
from sweeper.system.module_path import tell_children
from sweeper.system.paths import as_argument, given_path
from sweeper.system.process_end import ignore_ctrl_c
from sweeper.system.process_start import NO_PROCESSES, is_lack_of_memory, is_lack_of_processes, prepare_command
from sweeper.system.terminal import say, tell, writing_stdout

NO_FOLDER = "the current folder no longer exists; go to one that does, such as by cd ~"


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


class _StoreOnce(argparse._StoreAction):
    """Stores an option's value; another value for the same option is refused."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        before = vars(self).setdefault("given", values)
        if self.option_strings and before != values:
            raise BadInput(repeated(max(self.option_strings, key=len), [str(before), str(values)]))
        super().__call__(parser, namespace, values, option)


def refuse_repeated(parser: argparse.ArgumentParser) -> None:
    """Make a parser that is used once refuse an option of one value that is given twice, with two values."""
    for action in parser._actions:
        if type(action) is argparse._StoreAction:
            action.__class__ = _StoreOnce


class Parser(argparse.ArgumentParser):
    """An argument parser with the folders of runs and `--version`; an error raises BadInput instead of exiting."""

    def __init__(self, module: str, description: str, plain: bool = False) -> None:
        super().__init__(prog=called(module), description=description)
        words = "folders of runs (default: outputs)"
        kind = str if plain else given_folder  # plain: other words may stand among the folders
        self.add_argument("outputs", nargs="*", default=["outputs"], type=kind, help=words)
        self.add_argument("--version", action="version", version=f"sweeper {__version__}")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Folders may stand before, between and after the options."""
        return self.parse_intermixed_args(args, namespace)

    def parse_known_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:
        refuse_repeated(self)
        return super().parse_known_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{with_meant(message, self)}; see {self.prog} --help")


def with_meant(message: str, parser: argparse.ArgumentParser) -> str:
    """A parser's message with the flag that an unknown one probably meant; of one without a value, what to do."""
    if alone := re.fullmatch(r"argument (?:.*/)?(--[\w-]+): expected one argument", message):
        return f"{alone[1]}: nothing is given; give a value, or leave it out"
    unknown = re.match(r"unrecognized arguments: (--[^ ]+)", message)
    meant = unknown and like_flag(unknown[1], parser._option_string_actions)
    return f"{message} (did you mean {meant}?)" if meant else message


def given_folder(text: str) -> str:
    """A folder that a command takes; `outputs=DIR`, as `sweeper.train` takes it, is accepted too."""
    return str(given_path(text.removeprefix("outputs=")))


def split_own(arguments: Sequence[str], own: Sequence[str], command: str = "") -> tuple[dict[str, str], list[str]]:
    """A command's own options, each with its value, and the other words, which are those of sweeper.train.

    >>> split_own(["-m", "--within", "5h", "seed=1,2", "--level=0.1"], ("--within", "--level"))
    ({'--within': '5h', '--level': '0.1'}, ['-m', 'seed=1,2'])

    Raises:
        BadInput: an option is given twice, with two values, or one is misspelt.
    """
    given: dict[str, str] = {}
    rest: list[str] = []
    left = list(arguments)
    while left:
        argument = left.pop(0)
        name, has_value, value = argument.partition("=")
        if name in own:
            value = value if has_value else left.pop(0) if left else ""
            while left and re.fullmatch(r"[\w.,%]+", left[0]):  # parted by a space, as in --within 5 hours
                value = f"{value} {left.pop(0)}"
            if given.setdefault(name, value) != value:
                raise BadInput(repeated(name, [given[name], value]))
        elif (meant := like_flag(name, own) if name.startswith("--") else None) is not None:
            see = f"see {called(command)} --help"
            raise BadInput(f"unrecognized arguments: {name} (did you mean {meant}?); {see}")
        else:
            rest.append(argument)
    return given, rest


def is_about_itself(arguments: Sequence[str], text: str) -> bool:
    """Whether a command is asked for its help, which is this text, or for its version; then it is printed."""
    if {"--help", "-h"} & set(arguments):
        say(text, end="")
    elif "--version" in arguments:
        say(f"sweeper {__version__}")
    else:
        return False
    return True


ROOM = "make room there, or make it writable"
MAKE_ROOM = f"{ROOM}; the same command goes on"


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
    return f"{called(module)} {shlex.join([*map(as_argument, outputs), '--into', 'DIR'])} writes elsewhere"


def check_current_folder() -> None:
    """To be called before a library is imported that ends the process without the current folder, as torch does.

    Raises:
        BadInput: it was removed.
    """
    try:
        os.getcwd()
    except OSError:
        raise BadInput(NO_FOLDER) from None


def with_cause(reason: str) -> str:
    """What went wrong, and before it that the current folder was removed, on which most of it depends."""
    try:
        check_current_folder()
    except BadInput as gone:
        return reason if reason == str(gone) else f"{gone} ({reason})"
    return reason


def exit_code_of(command: Callable[[], int | None]) -> int:
    """Call a command and return its exit code: its own, 0 for None; 1 for a failed run, too little memory or threads;
    2 for bad input or a file that can't be read or written; 130 after Ctrl-C. Errors are printed in one line."""
    try:
        prepare_command()
        try:
            return command() or 0
        finally:
            with writing_stdout():
                sys.stdout.flush()  # what argparse printed
    except (BadInput, RunFailed) as error:
        tell(f"error: {with_cause(str(error))}")
        return 2 if isinstance(error, BadInput) else 1
    except (MemoryError, ImportError, OSError, RuntimeError) as error:
        if is_lack_of_processes(error):
            tell(f"error: no more {NO_PROCESSES}")
            return 1
        if is_lack_of_memory(error):
            tell(f"error: out of memory ({named(error)}); allow this process more, see ulimit -v")
            return 1
        if not isinstance(error, OSError):
            raise
        tell(f"error: {with_cause(say_what_failed(error))}")
        return 2
    except KeyboardInterrupt:
        return 130


def run_command(module: str) -> int:
    """Import a command's module and call its `main`: what goes wrong at the import is an exit code and a line too."""
    with contextlib.suppress(OSError):  # the working folder was removed
        tell_children()
    code = exit_code_of(lambda: importlib.import_module(module).main())
    ignore_ctrl_c()
    return code
