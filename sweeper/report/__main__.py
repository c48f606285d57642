"""`python -m sweeper.report`."""

import sys

from sweeper.report.command import main

if __name__ == "__main__":
    sys.exit(main())
