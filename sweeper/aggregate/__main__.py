"""`python -m sweeper.aggregate`."""

import sys

from sweeper.aggregate.command import main

if __name__ == "__main__":
    sys.exit(main())
