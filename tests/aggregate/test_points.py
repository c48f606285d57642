"""No rounding contradicts what an interval or a margin says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.aggregate.margin import margin_share
from sweeper.aggregate.points import margin_words, points, size

SHARES = st.floats(-1, 1).map(lambda share: 0.0 if abs(share) < 1e-12 else share)


def test_two_digits_and_a_sign():
    assert [points(share) for share in (0.0125, -0.0125, 0.0, -0.0, math.nan)] == [
        "+1.25",
        "−1.25",
        "+0.00",
        "+0.00",
        "–",
    ]
    assert [points(share, plus="") for share in (0.0125, -0.0125)] == ["1.25", "−1.25"]
    assert size(-0.0125) == "1.25"


@given(SHARES)
def test_what_is_not_0_is_not_shown_as_0_and_keeps_its_side(share):
    shown = float(points(share).replace("−", "-"))
    assert (shown > 0, shown < 0) == (share > 0, share < 0)
    assert shown == pytest.approx(100 * share, abs=0.005)


@pytest.mark.parametrize("given", ["0.125", "0.2", "0.07", "0.29", "1", "0.123456789", "33.3", "0.001"])
def test_a_margin_is_told_as_it_was_given(given):
    assert margin_words(margin_share(given)) == f"±{given} point{'' if given == '1' else 's'}"


@given(SHARES, st.integers(1, 9999).map(lambda k: k / 100_000))
def test_what_lies_within_a_margin_is_shown_so(share, margin):
    shown = float(size(share, margin))
    assert (shown < 100 * margin) >= (abs(share) < margin * (1 - 1e-9))


def test_no_more_decimals_than_the_margin_asks_for():
    assert [size(share, 0.00249) for share in (0.001, 0.0024, 0.00248, 0.002486, 0.0025)] == [
        "0.10",
        "0.24",
        "0.248",
        "0.2486",
        "0.25",
    ]
