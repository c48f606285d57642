"""`sweeper COMMAND …`, the same as `python -m sweeper.COMMAND …`: hands the command line to the command."""

import os
import shlex
import sys
from importlib import import_module
from typing import NoReturn

from sweeper import __version__
from sweeper.system.command import called, exit_code_of
from sweeper.system.errors import BadInput, nearest
from sweeper.system.terminal import say

COMMANDS = {  # each with the module whose `main` it is, and what it is for
    "train": ("sweeper.train.__main__", "train a run, or with -m a sweep; answers from disk what is finished"),
    "doctor": ("sweeper.doctor.__main__", "what this machine offers, and whether training works on it"),
    "datasets": ("sweeper.datasets.__main__", "download published data sets to where runs look for them"),
    "plan": ("sweeper.plan.__main__", "what a sweep will take, before it begins"),
    "tune": ("sweeper.tune.__main__", "tune each optimizer, then compare what was chosen with fresh seeds"),
    "decide": ("sweeper.decide.__main__", "seeds until each pair of arms is decided, by a rule fixed beforehand"),
    "watch": ("sweeper.watch.__main__", "a live table of every run"),
    "aggregate": ("sweeper.aggregate.__main__", "results.csv and summary.csv of folders of runs"),
    "report": ("sweeper.report.__main__", "one page of a folder of runs, and figures"),
    "verify": ("sweeper.verify.__main__", "what holds of a folder of runs by others, and a sample trained again"),
    "choose": ("sweeper.choose.__main__", "each optimizer's best setting of a search"),
}
TAKE_OVERRIDES = ("train", "plan", "tune", "decide")  # what Hydra completes
_COMPLETION = ("--shell-completion", "-sc")


def main() -> int:
    """Carry out the command named by the first word. Returns its exit code; 2 if there is no such command."""
    arguments = sys.argv[1:]
    if arguments and arguments[0].partition("=")[0] in _COMPLETION:
        return _complete(arguments)
    if arguments and arguments[0] in COMMANDS:
        return _hand_over(arguments[0], arguments[1:])
    return exit_code_of(lambda: _answer(arguments))


def _answer(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        say(_help())
    elif arguments[0] == "--version":
        say(f"sweeper {__version__}")
    else:
        _refuse(arguments)


def _help() -> str:
    name = called()
    lines = [f"usage: {name} COMMAND …, where {name} COMMAND --help says more", ""]
    lines += [f"  {command:<10} {purpose}" for command, (_, purpose) in COMMANDS.items()]
    lines += ["", 'eval "$(sweeper --shell-completion install=bash)" completes commands, groups and choices in bash.']
    return "\n".join(lines)


def _refuse(arguments: list[str]) -> NoReturn:
    first, name = arguments[0], called()
    if "=" in first or first in ("-m", "--multirun", "--arm"):
        raise BadInput(
            f"{first}: the command comes first, as in {name} train {shlex.join(arguments)}; see {name} --help"
        )
    raise BadInput(f"{first}: there is no such command; {nearest(first, COMMANDS)}; see {name} --help")


def _hand_over(command: str, arguments: list[str]) -> int:
    sys.argv[1:] = arguments
    return int(import_module(COMMANDS[command][0]).main())


def _complete(arguments: list[str]) -> int:
    """Complete commands and data sets here and overrides by Hydra, whose script the shell has loaded by `install`."""
    if not any("query=" in argument for argument in arguments):
        return _hand_over("train", arguments)
    line = os.environ.get("COMP_LINE", "")
    program, *words = line.split() or [""]
    if not words or (len(words) == 1 and not line[-1].isspace()):
        return exit_code_of(lambda: say("\n".join(COMMANDS)))
    if words[0] == "datasets":
        from sweeper.datasets.facts import published_names

        return exit_code_of(lambda: say("\n".join(published_names())))
    if words[0] not in TAKE_OVERRIDES:
        return 0
    os.environ["COMP_LINE"] = f"{program} {line.removeprefix(program).lstrip().removeprefix(words[0]).lstrip()}"
    return _hand_over("train", arguments)


if __name__ == "__main__":
    sys.exit(main())
