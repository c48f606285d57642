"""`python -m sweeper.choose`."""

import sys

from sweeper.system.command import run_command
from sweeper.system.parent import end_with_command


def main() -> int:
    end_with_command()
    return run_command("sweeper.choose.command")


if __name__ == "__main__":
    sys.exit(main())
