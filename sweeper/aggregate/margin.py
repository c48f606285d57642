"""The option `--margin` of the commands that show a verdict: equivalence against a margin fixed before the runs."""

import argparse
import math

from sweeper.system.errors import BadInput


def add_margin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--margin",
        metavar="POINTS",
        help="say which optimizers are equivalent: their interval lies within ± this many percentage points; "
        "fix it before the runs",
    )


def margin_share(given: str | None) -> float | None:
    """The margin as a share of all images.

    Raises:
        BadInput: it isn't a number above 0 and below 100.
    """
    if given is None:
        return None
    try:
        points = float(given)
    except ValueError:
        points = math.nan
    if not 0 < points < math.inf:
        raise BadInput(f"--margin {given}: must be a number of percentage points above 0, e.g. 0.2")
    if points >= 100:
        what = "a margin is a difference of accuracies too small to matter"
        raise BadInput(f"--margin {given}: {what}, in percentage points below 100, e.g. 0.2")
    return points / 100
