"""`python -m sweeper.tune`."""

import sys

from sweeper.system.command import run_command
from sweeper.system.module_path import look_there_last


def main() -> int:
    look_there_last()  # what a configuration names may lie in the working folder
    return run_command("sweeper.tune.command")


if __name__ == "__main__":
    sys.exit(main())
