"""Against scipy's distribution."""

import math

import pytest
from scipy import stats

from sweeper.aggregate.studentized_range import probability, quantile


@pytest.mark.parametrize("k", [2, 3, 5, 19])
def test_the_probability_is_scipys(k):
    for df in (1, 2, 3, 8, 28, 400, math.inf):
        for q in (0.5, 3.7, 9.0):
            assert probability(q, k, df) == pytest.approx(stats.studentized_range.cdf(q, k, df), abs=1e-10)


@pytest.mark.parametrize(("k", "df"), [(3, 2), (5, 8), (19, 36), (3, 19_998)])
def test_the_quantile_is_scipys(k, df):
    for level in (0.5, 0.95, 0.9999):
        assert quantile(level, k, df) == pytest.approx(stats.studentized_range.ppf(level, k, df), rel=1e-6)
        assert probability(quantile(level, k, df), k, df) == pytest.approx(level, abs=1e-12)


TABLE = {2: 2.772, 3: 3.314, 4: 3.633, 5: 3.858, 10: 4.474, 20: 5.012}  # of 95 %, published for infinitely many degrees


@pytest.mark.parametrize("k", TABLE)
@pytest.mark.parametrize("df", [1e9, 1e12, 1e15, 1e18, 1e300, math.inf])
def test_at_many_degrees_of_freedom_it_is_the_normal_range(k, df):
    assert quantile(0.95, k, df) == pytest.approx(TABLE[k], abs=5e-4)
    assert quantile(0.95, k, df) == pytest.approx(stats.studentized_range.ppf(0.95, k, math.inf), rel=1e-8)


@pytest.mark.parametrize("df", [10.0**k for k in range(5, 17)])
def test_it_approaches_the_limit_as_its_expansion_does(df):
    """To the order of 1 / df, of which the next is its square."""
    q, step = 3.3, 1e-3
    below, there, above = (probability(q + d, 3, math.inf) for d in (-step, 0, step))
    slope, curvature = (above - below) / (2 * step), (above - 2 * there + below) / step**2
    expected = there + (q * q * curvature - q * slope) / (4 * df)
    assert probability(q, 3, df) == pytest.approx(expected, abs=1e-15 + 1 / df**2)


def test_at_no_odds_does_the_search_for_a_quantile_go_on_for_ever():
    assert quantile(1.0, 3, 4) > 1e3
    assert quantile(1 - 1e-12, 500, 4) > 1e3  # so many means round the probability to less than this
    assert math.isnan(quantile(math.nan, 3, 4))
