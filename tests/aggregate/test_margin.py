"""A margin of equivalence is a number of points above 0."""

import pytest

from sweeper.aggregate.margin import margin_share
from sweeper.system.errors import BadInput


def test_points_become_a_share():
    assert margin_share("0.2") == pytest.approx(0.002) and margin_share(None) is None


@pytest.mark.parametrize("given", ["0", "-0.2", "nan", "inf", "0,2", "", "two"])
def test_what_is_no_margin_is_refused(given):
    with pytest.raises(BadInput, match=r"--margin .*: must be a number of percentage points above 0, e\.g\. 0\.2"):
        margin_share(given)


@pytest.mark.parametrize("given", ["100", "101", "1e9"])
def test_a_margin_that_every_difference_is_within_is_refused(given):
    with pytest.raises(BadInput, match=f"--margin {given}: a margin is a difference of accuracies too small to matter"):
        margin_share(given)
