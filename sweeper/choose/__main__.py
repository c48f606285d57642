"""`python -m sweeper.choose`."""

import sys

from sweeper.system.command import run_command


def main() -> int:
    return run_command("sweeper.choose.command")


if __name__ == "__main__":
    sys.exit(main())
