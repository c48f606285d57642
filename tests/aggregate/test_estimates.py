"""The order by the model is that of numpy's least squares; of complete designs it is that of the means, as it came."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.aggregate.comparisons import compare
from sweeper.aggregate.estimates import fit

# Seeds 4 to 6 are five points harder, and lion has three of them.
HARD_SEEDS = {
    "adam": {1: 0.901, 2: 0.899, 3: 0.900, 4: 0.851},
    "sgd": {1: 0.899, 2: 0.898, 3: 0.897, 5: 0.848},
    "lion": {1: 0.906, 4: 0.856, 5: 0.853, 6: 0.854},
}


def adjusted_means(scores):
    """By numpy, on the design written out."""
    methods, seeds = list(scores), sorted({s for by_seed in scores.values() for s in by_seed})
    cells = [(m, s) for m in methods for s in scores[m]]
    whole = np.zeros((len(cells), len(methods) + len(seeds)))
    for row, (m, s) in enumerate(cells):
        whole[row, methods.index(m)] = whole[row, len(methods) + seeds.index(s)] = 1
    found, *_ = np.linalg.lstsq(whole, np.array([scores[m][s] for m, s in cells]), rcond=None)
    return {m: found[k] + found[len(methods) :].mean() for k, m in enumerate(methods)}


def test_where_seeds_differ_the_estimates_are_least_squares_adjusted_means():
    found = fit(HARD_SEEDS)
    assert found.methods == ["adam", "sgd", "lion"] and list(found.estimates) == ["lion", "adam", "sgd"]
    assert found.estimates == pytest.approx(adjusted_means(HARD_SEEDS), abs=1e-12)
    assert found.adjusts and not found.complete


def test_a_complete_design_is_in_the_order_of_its_means_and_equal_ones_as_they_came():
    scores = {"a": {1: 0.1, 2: 0.5}, "b": {1: 0.5, 2: 0.1}, "c": {1: 0.3, 2: 0.4}, "d": {1: 0.3, 2: 0.3}}
    found = fit(scores)
    assert list(found.estimates) == found.methods == ["c", "a", "b", "d"]
    assert found.estimates == found.means and found.complete and not found.adjusts


def test_parts_that_no_seed_connects_are_in_the_order_of_their_means():
    found = fit({"a": {1: 0.9, 2: 0.78}, "b": {2: 0.85}, "c": {3: 0.86}})
    assert list(found.estimates) == found.methods == ["c", "b", "a"] and not found.adjusts and not found.complete


def test_estimates_that_differ_by_rounding_are_equal_and_stay_in_the_order_of_the_means():
    """b is a in the seeds that they share; the seed that b has not is an easy one."""
    found = fit({"b": {1: 0.7, 2: 0.1}, "a": {1: 0.7, 2: 0.1, 3: 0.9}, "c": {1: 0.3, 3: 0.5}})
    assert found.estimates["a"] == found.estimates["b"] and list(found.estimates) == ["a", "b", "c"]


def test_without_scores_there_is_nothing():
    assert fit({}).estimates == {} and fit({"a": {}}).methods == []


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 100_000))
def test_the_leader_is_the_higher_one_of_each_of_its_pairs(methods, seeds, seed):
    """So are all by their pairs, wherever nobody diverged and chains of seeds connect all."""
    numbers = np.random.default_rng(seed)
    hard = numbers.normal(0, 0.05, seeds)
    scores = {
        f"m{m}": {s: 0.9 + hard[s] + numbers.normal(0, 0.01) for s in range(seeds) if numbers.random() < 0.7}
        for m in range(methods)
    }
    found = compare(scores)
    if any(np.isnan(d.difference) for d in found.differences):
        return
    for above, below in itertools.combinations(found.methods, 2):
        d = found.between(above, below)
        assert (d.a, d.b) == (above, below) or d.difference == 0
