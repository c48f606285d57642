"""`python -m sweeper.plan`."""

import sys

from sweeper.plan.command import main

if __name__ == "__main__":
    sys.exit(main())
