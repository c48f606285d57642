"""Against numbers worked out elsewhere: R's t.test, and scipy's slower twin."""

import math
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweeper.aggregate.statistics import confidence_interval, distance_by_chance, mean, standard_deviation

ACCURACIES = st.lists(st.floats(0, 1), min_size=2, max_size=20)


def test_three_seeds():
    """t(2, 0.975) = 4.302653, from any table of the t distribution."""
    values = [0.94, 0.95, 0.96]
    assert mean(values) == pytest.approx(0.95)
    assert standard_deviation(values) == pytest.approx(0.01)
    half = 4.302653 * 0.01 / math.sqrt(3)
    assert confidence_interval(values) == pytest.approx((0.95 - half, 0.95 + half))


def test_one_value_has_a_mean_and_no_spread():
    assert mean([0.5]) == 0.5
    assert math.isnan(standard_deviation([0.5]))
    assert all(map(math.isnan, confidence_interval([0.5])))


def test_nothing_has_no_mean():
    assert math.isnan(mean([])) and math.isnan(standard_deviation([]))
    assert all(map(math.isnan, confidence_interval([])))


@settings(deadline=None)
@given(ACCURACIES, st.floats(0.5, 0.99))
def test_the_interval_is_scipys(values, level):
    scale = stats.sem(values)
    if scale == 0:
        return
    expected = stats.t.interval(level, len(values) - 1, loc=mean(values), scale=scale)
    assert confidence_interval(values, level) == pytest.approx(tuple(expected), abs=1e-9)


@settings(deadline=None)
@given(ACCURACIES)
def test_a_higher_level_is_a_wider_interval_around_the_mean(values):
    narrow, wide = confidence_interval(values, 0.9), confidence_interval(values, 0.99)
    assert wide[0] <= narrow[0] <= mean(values) <= narrow[1] <= wide[1]


def test_it_is_light_to_import():
    code = (
        "import sys, sweeper.aggregate.bootstrap, sweeper.aggregate.comparisons, sweeper.report.profiles;"
        "import sweeper.aggregate.statistics;"
        "print({'torch', 'pandas', 'scipy.stats'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True).stdout == "set()\n"


def test_the_scatter_of_two_seeds_is_pooled_over_groups():
    # √((0.01² + 0.01² + 0.02² + 0.02²) ÷ 2); a group of one value adds nothing. t(2; 0.975) = 4.302653
    distance = distance_by_chance([[0.80, 0.82], [0.70, 0.74], [0.5], []])
    assert distance == pytest.approx(4.302653 * math.sqrt(2 * 0.0005), rel=1e-6)
    assert distance_by_chance([[0.8], [0.9], []]) is None


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_two_more_seeds_lie_within_it_as_often_as_it_says(level):
    numbers = random.Random(0)
    within = 0
    for _ in range(2000):
        groups = [[numbers.gauss(mean, 1) for _ in range(2)] for mean in (0, 5, 9)]
        within += abs(numbers.gauss(3, 1) - numbers.gauss(3, 1)) <= distance_by_chance(groups, level)
    assert within / 2000 == pytest.approx(level, abs=0.03)
