"""`python -m sweeper.train`."""

import sys

from sweeper.system.command import run_command
from sweeper.system.module_path import look_there_last
from sweeper.system.parent import end_with_command


def main() -> int:
    end_with_command()
    look_there_last()  # what a configuration names may lie in the working folder
    return run_command("sweeper.train.command")


if __name__ == "__main__":
    sys.exit(main())
