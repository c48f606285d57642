"""`python -m sweeper.doctor`."""

import sys

from sweeper.doctor.command import main

if __name__ == "__main__":
    sys.exit(main())
