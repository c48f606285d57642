"""`python -m sweeper.report`."""

import sys

from sweeper.system.command import run_command


def main() -> int:
    return run_command("sweeper.report.command")


if __name__ == "__main__":
    sys.exit(main())
