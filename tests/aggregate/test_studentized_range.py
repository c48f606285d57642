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


def test_at_no_odds_does_the_search_for_a_quantile_go_on_for_ever():
    assert quantile(1.0, 3, 4) > 1e3
    assert quantile(1 - 1e-12, 500, 4) > 1e3  # so many means round the probability to less than this
    assert math.isnan(quantile(math.nan, 3, 4))
