"""`python -m sweeper.watch`."""

import sys

from sweeper.watch.command import main

if __name__ == "__main__":
    sys.exit(main())
