"""The distance that two seeds have by chance."""

import math
import random

import pytest

from sweeper.aggregate.repeats import distance_by_chance, pooled_deviation


def test_the_deviation_is_pooled_over_groups():
    # √((0.01² + 0.01² + 0.02² + 0.02²) ÷ 2); a group of one value adds nothing.
    deviation, degrees = pooled_deviation([[0.80, 0.82], [0.70, 0.74], [0.5], []])
    assert degrees == 2 and deviation == pytest.approx(math.sqrt(0.0005))
    # t(2; 0.975) = 4.302653
    assert distance_by_chance([[0.80, 0.82], [0.70, 0.74]]) == pytest.approx(4.302653 * math.sqrt(2 * 0.0005), rel=1e-6)


def test_without_two_values_of_a_setting_nothing_is_known():
    deviation, degrees = pooled_deviation([[0.8], []])
    assert math.isnan(deviation) and degrees == 0
    assert distance_by_chance([[0.8], [0.9]]) is None


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_two_more_seeds_lie_within_it_as_often_as_it_says(level):
    numbers = random.Random(0)
    within = 0
    for _ in range(2000):
        groups = [[numbers.gauss(mean, 1) for _ in range(2)] for mean in (0, 5, 9)]
        within += abs(numbers.gauss(3, 1) - numbers.gauss(3, 1)) <= distance_by_chance(groups, level)
    assert within / 2000 == pytest.approx(level, abs=0.03)
