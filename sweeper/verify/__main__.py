"""`python -m sweeper.verify`."""

import sys

from sweeper.system.command import run_command


def main() -> int:
    return run_command("sweeper.verify.command")


if __name__ == "__main__":
    sys.exit(main())
