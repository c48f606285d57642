"""The command `sweeper train`: trains one run, or with `-m` a sweep."""

import sys
from collections.abc import Callable
from functools import partial

from sweeper import __version__
from sweeper.config.command_line import parser, read_command_line
from sweeper.config.grid import Grid, expand
from sweeper.engine.devices import set_variables
from sweeper.system.command import exit_code_of
from sweeper.system.errors import BadInput
from sweeper.system.process_end import end_with
from sweeper.system.terminal import say
from sweeper.train.document import answer_in_json
from sweeper.train.launchers.registry import find_launcher
from sweeper.train.sweep import carry_out
from sweeper.train.task import ask_hydra, show_configuration

# Hydra's flags that print help or shell completion and train nothing.
_COMPLETING = ("--shell-completion", "-sc")
_ASKING = ("--help", "-h", "--hydra-help", *_COMPLETING)
_SHELLS = ("bash", "fish", "zsh")
_JSON = "--json"
_NO_TRAINING = (*_ASKING, "--version", "--cfg", "-c", "--info", "-i")


def main() -> int:
    """Run the command. Returns the exit code: 0 if all runs completed or diverged, 1 if one failed or the tables
    couldn't be written, 2 for bad input, 129, 130 or 143 if interrupted."""
    arguments = [argument for argument in sys.argv[1:] if argument != _JSON]
    flags = [argument.partition("=")[0] for argument in arguments]
    if _JSON in sys.argv[1:] and not set(_NO_TRAINING) & set(flags):
        return end_with(answer_in_json(partial(_train, arguments)))
    return end_with(exit_code_of(lambda: _train(arguments)))


def _train(arguments: list[str], begin: Callable[[Grid], None] = lambda grid: None) -> int:
    """Carry out a command line.

    Args:
        begin: called with the runs before they are trained, and again when a tuning extends its grid.
    """
    if "--version" in arguments:
        say(f"sweeper {__version__}")
        return 0
    if set(_COMPLETING) & set(arguments):
        _check_completion(arguments)
    if any(a.split("=")[0] in _ASKING for a in arguments):
        ask_hydra(parser().parse_args(arguments))
        return 0
    asked = read_command_line(arguments)
    grid = expand(asked)
    find_launcher(grid.launcher_options).check(grid.launcher_options)
    if asked.cfg or asked.info:
        show_configuration(asked)
        return 0
    begin(grid)
    set_variables()  # before anything imports torch
    return carry_out(grid, asked, begin)


def _check_completion(arguments: list[str]) -> None:
    asked = [argument.partition("=") for argument in arguments if argument not in _COMPLETING]
    if len(asked) != 1 or asked[0][0] not in ("install", "uninstall", "query") or asked[0][2] not in _SHELLS:
        given = " ".join(arguments)
        raise BadInput(f"{given}: write --shell-completion install=SHELL; the shells are {', '.join(_SHELLS)}")
