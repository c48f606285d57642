"""Against profiles worked out by hand."""

import math

import numpy as np
import pytest

from sweeper.report.profiles import performance_profile, performance_ratios, profile_score, time_to_target

NEVER = math.inf


def test_the_median_seed_decides():
    assert time_to_target([100, 300, 200]) == 200
    assert time_to_target([100, NEVER, 200]) == 200
    assert time_to_target([NEVER, NEVER, 200]) == NEVER
    assert time_to_target([100, NEVER]) == NEVER


def test_ratios_to_the_fastest_of_each_task():
    ratios = performance_ratios([[100, 50], [200, NEVER], [150, 25]])
    assert ratios.tolist() == [[1, 2], [2, NEVER], [1.5, 1]]


def test_a_task_that_nobody_solves_counts_against_all():
    ratios = performance_ratios([[100, NEVER], [200, NEVER]])
    assert ratios.tolist() == [[1, NEVER], [2, NEVER]]
    assert profile_score(ratios[0]) == 0.5


def test_a_profile_steps_where_a_task_is_solved():
    tau, solved = performance_profile([1.0, 2.0, NEVER, 9.0])
    assert tau == [1.0, 2.0, 4.0]
    assert solved == [0.25, 0.5, 0.5]


def test_the_score_is_the_profiles_integral():
    ratios = [1.0, 1.7, 3.2, NEVER, 9.0]
    grid = np.linspace(1, 4, 300_001)
    solved = np.mean([[r <= tau for tau in grid] for r in ratios], axis=0)
    assert profile_score(ratios) == pytest.approx(float(np.mean(solved)), abs=1e-5)
    assert profile_score([1.0, 1.0]) == 1 and profile_score([NEVER]) == 0
