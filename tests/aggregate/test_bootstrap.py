"""Against scipy's trimmed mean, which rliable takes, and intervals that are known."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweeper.aggregate import bootstrap
from sweeper.aggregate.bootstrap import RESAMPLES, interquartile_mean, min_max, stratified_interval
from sweeper.aggregate.statistics import confidence_interval

FAILED = -math.inf
SCORES = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=5), min_size=1, max_size=4)


@settings(deadline=None)
@given(SCORES)
def test_the_interquartile_mean_is_scipys_trimmed_mean(tasks):
    assert interquartile_mean(tasks) == pytest.approx(stats.trim_mean(np.concatenate(tasks), 0.25))


def test_the_interquartile_mean_of_eight():
    assert interquartile_mean([[1, 2, 3, 4], [5, 6, 7, 100]]) == 4.5
    assert math.isnan(interquartile_mean([]))


def test_a_failure_in_the_middle_half_is_not_averaged_away():
    assert interquartile_mean([[0.9, 0.9, FAILED]]) == FAILED
    assert interquartile_mean([[0.9, 0.9, 0.9, FAILED]]) == pytest.approx(0.9)


def test_every_task_weighs_the_same_after_min_max():
    """Raw accuracies would let the hardest task decide: there lion's runs lie 20 points below."""
    easy = min_max([[0.98, 0.98], [0.99, 0.99]])
    hard = min_max([[0.60, 0.60], [0.40, 0.40]])
    assert easy == [[0.0, 0.0], [1.0, 1.0]] and hard == [[1.0, 1.0], [0.0, 0.0]]
    assert interquartile_mean([easy[0], hard[0]]) == interquartile_mean([easy[1], hard[1]]) == 0.5
    assert interquartile_mean([[0.98, 0.98], [0.60, 0.60]]) > interquartile_mean([[0.99, 0.99], [0.40, 0.40]])


def test_min_max_is_of_means_and_keeps_the_order():
    assert min_max([[0.5, 0.7], [0.9, 1.0]])[0] == pytest.approx([-1 / 3.5, 1 / 3.5])
    assert min_max([[0.9, FAILED], [0.5]]) == [[1.0, FAILED], [0.0]]
    assert min_max([[0.7, 0.7], [0.7, 0.7], [FAILED]]) == [[0.5, 0.5], [0.5, 0.5], [FAILED]]
    assert min_max([[FAILED]]) == [[FAILED]]


def plain_mean(tasks):
    """The mean over tasks of equally many seeds."""
    return np.mean([np.mean(task, axis=-1) for task in tasks], axis=0)


def test_of_a_mean_it_is_students_interval():
    """The bootstrap's error of a mean is known; 2,000 resamples find it within a few percent."""
    for n in (3, 5, 40):
        values = np.random.default_rng(n).normal(0.9, 0.02, n).tolist()
        low, high = stratified_interval(plain_mean, [values])
        known = confidence_interval(values)
        assert (low + high) / 2 == pytest.approx(np.mean(values))
        assert high - low == pytest.approx(known[1] - known[0], rel=0.06)


def test_of_a_mean_over_tasks_it_is_students_interval_of_the_pooled_scatter():
    tasks = [[0.1, 0.2, 0.3], [0.7, 0.5, 0.6]]
    low, high = stratified_interval(plain_mean, tasks)
    error = math.sqrt((0.1**2 / 3 + 0.1**2 / 3) / 4)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 4) * error, rel=0.06)


def test_seeds_are_drawn_within_their_task():
    """Drawn from all together, the means of two far tasks would spread."""
    low, high = stratified_interval(interquartile_mean, [[0.1, 0.1, 0.11, 0.11], [0.9, 0.9, 0.91, 0.91]])
    assert 0.48 < low < 0.505 < high < 0.53


def test_it_gives_the_same_twice():
    tasks = [[0.1, 0.5, 0.9]]
    assert stratified_interval(interquartile_mean, tasks) == stratified_interval(interquartile_mean, tasks)


@pytest.mark.parametrize("tasks", [[[0.1, 0.2], [0.3]], [[0.1]], [[0.1, 0.2], [0.3, FAILED]], [[0.1, 0.1], [0.7, 0.7]]])
def test_there_is_no_interval_where_chance_is_not_known(tasks):
    """One seed, a diverged run, and seeds without scatter: a width of 0 would say that chance has no part."""
    assert all(map(math.isnan, stratified_interval(interquartile_mean, tasks)))


@pytest.mark.parametrize("sizes", [(3, 3, 3), (2, 4, 3, 9)])
def test_all_resamples_at_once_give_what_one_after_another_gives(sizes):
    numbers = np.random.default_rng(2)
    tasks = [numbers.integers(0, 4, size).tolist() for size in sizes]
    wide = [[np.mean(t) + (x - np.mean(t)) * math.sqrt(len(t) / (len(t) - 1)) for x in t] for t in tasks]
    drawn = np.random.default_rng(0)
    found = [interquartile_mean([drawn.choice(task, len(task)) for task in wide]) for _ in range(RESAMPLES)]
    half = stats.t.ppf(0.975, sum(sizes) - len(sizes)) * np.std(found, ddof=1)
    middle = interquartile_mean(tasks)
    assert stratified_interval(interquartile_mean, tasks) == pytest.approx((middle - half, middle + half), rel=1e-9)


@pytest.mark.parametrize("sizes", [(3, 3, 3), (2, 4, 2, 9), (130,)])
def test_blocks_of_resamples_give_the_same_to_the_bit(sizes, monkeypatch):
    numbers = np.random.default_rng(3)
    tasks = [numbers.random(size).round(1).tolist() for size in sizes]
    monkeypatch.setattr(bootstrap, "BLOCK", 10**9)
    whole = stratified_interval(interquartile_mean, tasks)
    for block in (1, 1000, 40_000):
        monkeypatch.setattr(bootstrap, "BLOCK", block)
        assert stratified_interval(interquartile_mean, tasks) == whole


def test_memory_is_bounded_at_many_runs():
    """All resamples of these at a time would take 160 MB."""
    tasks = [np.random.default_rng(4).random(1000).tolist() for _ in range(5)]
    stratified_interval(interquartile_mean, [[0.1, 0.2]])  # what it imports isn't counted
    tracemalloc.start()
    try:
        stratified_interval(interquartile_mean, tasks)
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()
