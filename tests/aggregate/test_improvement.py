"""Against scipy's Mann-Whitney statistic, and the equation that Newcombe's limits solve."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweeper.aggregate.improvement import improvement_interval, probability_of_improvement

FAILED = -math.inf
SCORES = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=5), min_size=1, max_size=4)


@settings(deadline=None)
@given(SCORES, st.data())
def test_the_probability_of_improvement_is_mann_whitneys(tasks, data):
    others = [data.draw(st.lists(st.floats(0, 1), min_size=3, max_size=5)) for _ in tasks]
    shares = [
        stats.mannwhitneyu(x, y, alternative="greater").statistic / (len(x) * len(y))
        for x, y in zip(tasks, others, strict=True)
    ]
    assert probability_of_improvement(tasks, others) == pytest.approx(np.mean(shares))


def test_a_failed_run_loses_to_every_other_and_ties_with_its_like():
    assert probability_of_improvement([[FAILED, 0.9]], [[0.1, FAILED]]) == pytest.approx((0 + 0.5 + 1 + 1) / 4)


def error(theta, m, n):
    """The standard error of the Mann-Whitney statistic: Hanley and McNeil 1982, both sizes replaced by their mean."""
    q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    size = (m + n) / 2
    return math.sqrt((theta * (1 - theta) + (size - 1) * (q1 + q2 - 2 * theta**2)) / (m * n))


@pytest.mark.parametrize(("m", "n"), [(3, 3), (10, 10), (3, 12)])
def test_an_end_lies_196_of_its_own_standard_errors_away(m, n):
    numbers = np.random.default_rng(m)
    a, b = numbers.normal(0.5, 1, m).tolist(), numbers.normal(0, 1, n).tolist()
    theta = probability_of_improvement([a], [b])
    low, high = improvement_interval([a], [b])
    assert 0 < low < theta < high < 1
    assert (theta - low, high - theta) == pytest.approx((1.96 * error(low, m, n), 1.96 * error(high, m, n)), abs=1e-4)


def test_tasks_share_the_variance_of_their_mean():
    a, b = [0.1, 0.5, 0.9], [0.2, 0.4, 0.6]
    theta = probability_of_improvement([a] * 4, [b] * 4)
    low, _ = improvement_interval([a] * 4, [b] * 4)
    assert theta - low == pytest.approx(1.96 * error(low, 3, 3) / 2, abs=1e-4)


def test_who_won_every_pair_has_a_width_too():
    """Resampling makes 100 % to 100 % of it, whatever the number of seeds."""
    low, high = improvement_interval([[0.9, 0.8, 0.7]], [[0.1, 0.2, 0.3]])
    assert high == 1 and 1 - low == pytest.approx(1.96 * error(low, 3, 3), abs=1e-4)
    more = improvement_interval([[0.9, 0.8, 0.7]] * 2, [[0.1, 0.2, 0.3]] * 2)[0]
    assert 0.4 < low < more < 0.8
    assert improvement_interval([[0.1, 0.2, 0.3]], [[0.9, 0.8, 0.7]]) == pytest.approx((0, 1 - low))


def test_a_diverged_run_is_a_lost_pair_and_no_gap():
    low, high = improvement_interval([[FAILED, 0.9, 0.8]], [[0.1, 0.2, 0.3]])
    assert 0 < low < probability_of_improvement([[FAILED, 0.9, 0.8]], [[0.1, 0.2, 0.3]]) < high < 1


@pytest.mark.parametrize(("a", "b"), [([[0.9]], [[0.1, 0.2]]), ([[0.9, 0.8], [0.7]], [[0.1, 0.2], [0.3, 0.4]])])
def test_one_seed_tells_nothing_of_chance(a, b):
    assert all(map(math.isnan, improvement_interval(a, b)))
    assert all(map(math.isnan, improvement_interval(b, a)))
