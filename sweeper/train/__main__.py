"""`python -m sweeper.train`."""

import sys

from sweeper.train.command import main

if __name__ == "__main__":
    sys.exit(main())
