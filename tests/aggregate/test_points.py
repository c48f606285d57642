"""No rounding contradicts what an interval or a margin says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.aggregate.latex import in_latex
from sweeper.aggregate.margin import margin_share
from sweeper.aggregate.points import margin_words, points, size, stated_margin

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


@pytest.mark.parametrize("given", ["0.2", "1", "0.125", "3", "0.00001"])
def test_a_table_states_the_margin_that_it_was_given(given):
    margin = margin_share(given)
    for text in (f"x; equivalent within {margin_words(margin)}: a and b", f"Equivalent within {margin_words(margin)}."):
        assert stated_margin(text) == stated_margin(in_latex(text)) == margin


@pytest.mark.parametrize(
    "words", ["", "equivalent within ±x points", "equivalent within ±0 points", "equivalent within ±1.2.3 points"]
)
def test_what_states_no_margin(words):
    assert stated_margin(words) is None
