"""`python -m sweeper.verify`."""

import sys

from sweeper.system.command import run_command
from sweeper.system.module_path import look_there_last


def main() -> int:
    look_there_last()  # what the configuration of a sample names may lie in the working folder
    return run_command("sweeper.verify.command")


if __name__ == "__main__":
    sys.exit(main())
