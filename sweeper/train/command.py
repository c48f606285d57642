"""`python -m sweeper.train`: one run, or with `-m` a sweep; where Hydra, the run directory and the loop meet."""

import sys

from sweeper import __version__
from sweeper.config.grid import compose_grid, read_command_line
from sweeper.system.command import exit_code_of
from sweeper.system.process_end import end_with
from sweeper.system.terminal import say
from sweeper.train.launchers.registry import find_launcher
from sweeper.train.sweep import carry_out
from sweeper.train.task import ask_hydra

# Hydra's flags that ask for something else than training; what they show of a run is checked first.
_ASKING = ("--help", "-h", "--hydra-help", "--shell-completion", "-sc")


def main() -> int:
    """The command line. Returns the exit code: 0 all runs completed or diverged, 1 one failed or the tables couldn't be
    written, 2 bad input, 130 or 143 interrupted."""
    return end_with(exit_code_of(lambda: _train(sys.argv[1:])))


def _train(arguments: list[str]) -> int:
    if "--version" in arguments:
        say(f"sweeper {__version__}")
        return 0
    if any(a.split("=")[0] in _ASKING for a in arguments):
        ask_hydra(arguments)
        return 0
    grid = compose_grid(arguments)
    find_launcher(grid.launcher_options).check(grid.launcher_options)
    asked = read_command_line(arguments)
    if asked.cfg or asked.info:
        ask_hydra(arguments)
        return 0
    return carry_out(grid, asked)
