"""Against scipy's trimmed mean and Mann-Whitney statistic, which rliable is made of."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweeper.aggregate import bootstrap
from sweeper.aggregate.bootstrap import (
    RESAMPLES,
    improvement_interval,
    interquartile_mean,
    min_max,
    probability_of_improvement,
    stratified_interval,
)

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


def test_the_interval_agrees_with_scipys_bootstrap():
    values = np.random.default_rng(1).normal(0.9, 0.02, 40)
    ours = stratified_interval(lambda tasks: np.mean(tasks[0], axis=-1), [values])
    theirs = stats.bootstrap((values,), np.mean, method="percentile", random_state=1).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.001)


def test_seeds_are_drawn_within_their_task():
    """Drawn from all together, the means of two far tasks would spread."""
    low, high = stratified_interval(interquartile_mean, [[0.1, 0.1, 0.1, 0.1], [0.9, 0.9, 0.9, 0.9]])
    assert low == high == pytest.approx(0.5)


def test_it_gives_the_same_twice():
    tasks = [[0.1, 0.5, 0.9]]
    assert stratified_interval(interquartile_mean, tasks) == stratified_interval(interquartile_mean, tasks)


@pytest.mark.parametrize("sizes", [(3, 3, 3), (1, 4, 2, 9)])
def test_all_resamples_at_once_give_what_one_after_another_gives(sizes):
    numbers = np.random.default_rng(2)
    ours, theirs = ([numbers.integers(0, 4, k * size).tolist() for size in sizes] for k in (1, 3))
    ours[0][0] = FAILED

    def one_after_another(statistic, *methods):
        drawn = np.random.default_rng(0)
        found = [statistic(*([drawn.choice(task, len(task)) for task in m] for m in methods)) for _ in range(RESAMPLES)]
        return tuple(np.quantile(found, (0.025, 0.975), method="nearest"))

    expected = one_after_another(interquartile_mean, ours)
    assert stratified_interval(interquartile_mean, ours) == pytest.approx(expected, rel=1e-12)
    expected = one_after_another(probability_of_improvement, ours, theirs)
    assert improvement_interval(ours, theirs) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("sizes", [(3, 3, 3), (1, 4, 2, 9), (130,)])
def test_blocks_of_resamples_give_the_same_to_the_bit(sizes, monkeypatch):
    numbers = np.random.default_rng(3)
    ours, theirs = ([numbers.random(k * size).round(1).tolist() for size in sizes] for k in (1, 3))

    def intervals():
        return stratified_interval(interquartile_mean, ours), improvement_interval(ours, theirs)

    monkeypatch.setattr(bootstrap, "BLOCK", 10**9)
    whole = intervals()
    for block in (1, 1000, 40_000):
        monkeypatch.setattr(bootstrap, "BLOCK", block)
        assert intervals() == whole


def test_memory_is_bounded_at_many_runs():
    """All resamples of these at a time would take 160 MB."""
    tasks = [np.random.default_rng(4).random(1000).tolist() for _ in range(5)]
    tracemalloc.start()
    try:
        stratified_interval(interquartile_mean, tasks)
        improvement_interval(tasks[:1], tasks[1:2])
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()
