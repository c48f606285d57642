"""`python -m sweeper.decide`."""

import sys

from sweeper.decide.command import main

if __name__ == "__main__":
    sys.exit(main())
