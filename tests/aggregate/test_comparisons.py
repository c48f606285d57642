"""Against Student's data, scipy's twins, and numbers of statsmodels that `golden/comparisons.py` has made."""

import itertools
import json
import math

import numpy as np
import pytest
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweeper.aggregate.comparisons import compare, detectable_difference, quantile

GOLDEN = json.loads((REPOSITORY / "tests" / "golden" / "comparisons.json").read_text())

# Student (1908), Biometrika 6, p. 20: hours of sleep gained by ten patients from two soporifics.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def by_seed(**scores):
    return {method: dict(enumerate(values, 1)) for method, values in scores.items()}


@pytest.mark.parametrize("name", ["balanced", "unbalanced"])
def test_differences_errors_and_degrees_of_freedom_are_statsmodels(name):
    golden = GOLDEN[name]
    found = compare(golden["scores"])
    assert found.df == golden["df"] and found.deviation == pytest.approx(golden["deviation"], rel=1e-9)
    for pair in golden["pairs"]:
        one = found.between(pair["a"], pair["b"])
        sign = 1 if one.a == pair["a"] else -1
        assert (sign * one.difference, one.error) == pytest.approx((pair["difference"], pair["error"]), rel=1e-9)
        half = golden["q"] / math.sqrt(2) * pair["error"]  # libqsturng interpolates: three digits are right
        assert one.high - one.difference == pytest.approx(half, rel=1e-3)


def test_pairwise_tukeyhsd_on_residuals_is_this_interval_at_its_own_degrees_of_freedom():
    """Given scores without their seeds' means it counts N - k = 10 degrees of freedom; two of them were used up."""
    found = compare(GOLDEN["balanced"]["scores"])
    for theirs in GOLDEN["balanced"]["tukeyhsd"]:
        ours = found.between(theirs["a"], theirs["b"])
        half = ours.high - ours.difference
        wider = quantile(5, 8) / quantile(5, 10) * math.sqrt(10 / 8)
        assert half == pytest.approx((theirs["high"] - theirs["low"]) / 2 * wider, rel=1e-3)
        assert abs(ours.difference) == pytest.approx(abs(theirs["difference"]), rel=1e-9)


def test_scipys_tukey_hsd_agrees_in_the_same_way():
    scores = GOLDEN["balanced"]["scores"]
    table = np.array([list(by.values()) for by in scores.values()])
    theirs = stats.tukey_hsd(*(table - table.mean(axis=0))).confidence_interval(0.95)
    ours, names = compare(scores), list(scores)
    wider = quantile(5, 8) / quantile(5, 10) * math.sqrt(10 / 8)
    for i, j in itertools.combinations(range(5), 2):
        one = ours.between(names[i], names[j])
        assert one.high - one.low == pytest.approx((theirs.high[i, j] - theirs.low[i, j]) * wider, rel=1e-6)


def test_two_methods_have_the_paired_t_interval():
    """R: t.test(extra ~ group, sleep, paired = TRUE): -2.4598858 to -0.7001142."""
    (found,) = compare(by_seed(first=FIRST, second=SECOND)).differences
    assert (found.a, found.b, found.n) == ("second", "first", 10)
    assert (found.low, found.high) == pytest.approx((0.7001142, 2.4598858))
    assert found.excludes_zero and found.gap == found.high


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=9), st.integers(0, 3))
def test_it_is_scipys_paired_interval_whatever_other_seeds_each_has(pairs, more):
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    scores = by_seed(a=a.tolist(), b=b.tolist())
    scores["a"] |= {100 + k: 0.5 for k in range(more)}
    found = compare(scores)
    if np.std(a - b) < 1e-6:
        return
    theirs = stats.ttest_rel(a, b).confidence_interval(0.95)
    (one,) = found.differences
    ends = (one.low, one.high) if one.a == "a" else (-one.high, -one.low)
    assert ends == pytest.approx((theirs.low, theirs.high), rel=1e-6, abs=1e-9)
    assert (one.n, found.df) == (len(pairs), len(pairs) - 1)


def test_the_quantile_of_two_is_the_studentized_ranges():
    for df in (2, 8, 30):
        assert quantile(2, df) == pytest.approx(stats.studentized_range.ppf(0.95, 2, df), rel=1e-6)
    assert quantile(5, 8) == pytest.approx(4.886, abs=5e-4)  # from any table


def test_a_seeds_effect_on_all_cancels():
    scores = by_seed(a=[0.9, 0.91, 0.93], b=[0.85, 0.87, 0.86], c=[0.8, 0.79, 0.83])
    shifted = {m: {s: v + 0.1 * s for s, v in by.items()} for m, by in scores.items()}
    for one, other in zip(compare(scores).differences, compare(shifted).differences, strict=True):
        assert (one.difference, one.low) == pytest.approx((other.difference, other.low))


def test_detectable_is_found_in_four_studies_of_five():
    found = compare(GOLDEN["balanced"]["scores"])
    error = found.differences[0].error
    twin = stats.nct(8, found.detectable / error)
    assert twin.sf(quantile(5, 8) / math.sqrt(2)) == pytest.approx(0.8, abs=1e-6)
    assert detectable_difference(1.0, 33, 2) < 0.5 * math.sqrt(34)  # G*Power 3.1: d_z = 0.5 takes 34 pairs
    assert detectable_difference(1.0, 32, 2) > 0.5 * math.sqrt(33)


def test_who_diverged_is_better_than_nobody():
    scores = by_seed(a=[0.95, 0.951, 0.949, 0.95], b=[0.93, 0.931, 0.93, 0.929], c=[0.90, 0.899, 0.901, 0.90])
    found = compare(scores, {"a": 1})
    assert found.between("a", "b").low > 0
    assert found.order.better == {("b", "c")}
    assert found.methods == ("b", "a", "c")  # who never diverged stands first
    assert compare(scores, {"a": 0}).order.better == {("a", "b"), ("a", "c"), ("b", "c")}
    assert ("b", "c") in compare(scores, {"c": 1}).order.better  # the better one never diverged


@pytest.mark.parametrize(
    ("scores", "df", "deviation"),
    [
        ({}, 0, math.nan),
        (by_seed(a=[0.5, 0.6]), 0, math.nan),
        (by_seed(a=[0.5], b=[0.6], c=[0.7]), 0, math.nan),
        (by_seed(a=[0.5, 0.6], b=[0.7]), 0, math.nan),
        (by_seed(a=[0.9, 0.8, 0.7], b=[0.8, 0.7, 0.6]), 2, 0.0),  # 0.1 but for rounding
        (by_seed(a=[0.9, 0.9], b=[0.9, 0.9]), 1, 0.0),
    ],
)
def test_without_scatter_to_judge_by_there_is_no_interval(scores, df, deviation):
    found = compare(scores)
    assert found.df == df and found.deviation == pytest.approx(deviation, nan_ok=True)
    assert not any(d.has_interval or d.excludes_zero or d.within(1.0) for d in found.differences)
    assert math.isnan(found.detectable) and found.order.better == frozenset()


def test_what_no_seed_connects_has_no_difference():
    found = compare({"a": {1: 0.9, 2: 0.8}, "b": {1: 0.7, 2: 0.65}, "c": {3: 0.1, 4: 0.2}})
    assert found.between("a", "b").has_interval
    for other in ("a", "b"):
        assert math.isnan(found.between(other, "c").difference) and not found.between(other, "c").has_interval
    # a chain of seeds connects a and c through b, without a seed in common
    chain = compare({"a": {1: 0.9, 2: 0.8}, "b": {1: 0.7, 2: 0.65, 3: 0.6, 4: 0.7}, "c": {3: 0.1, 4: 0.2}})
    assert chain.between("a", "c").n == 0 and chain.between("a", "c").has_interval


def test_what_is_no_number_counts_as_missing():
    scores = by_seed(a=[0.9, math.nan, 0.93, 0.91], b=[0.8, 0.7, -math.inf, 0.82])
    found = compare(scores)
    assert found.ignored == 2 and found.differences[0].n == 2 and found.df == 1
    assert compare(by_seed(a=[math.nan], b=[0.5])).methods == ("b",)


def test_equivalence_is_an_interval_within_the_margin():
    (one,) = compare(by_seed(a=[0.9, 0.91, 0.92], b=[0.9, 0.909, 0.921])).differences
    assert one.within(one.gap * 1.01) and not one.within(one.gap * 0.99)


def test_where_seeds_differ_the_estimates_order_not_the_ranks():
    """Nothing separates b from c, so its lowest rank is below that of a, whose estimate is higher."""
    scores = by_seed(a=[0.901, 0.899, 0.892, 0.900], c=[0.907, 0.914, 0.909, 0.910], b=[0.897])
    found = compare(scores)
    assert found.order.ranks == {"c": (1, 2), "a": (2, 3), "b": (1, 3)}
    assert found.methods == ("c", "a", "b") and found.adjusted


def test_who_diverged_comes_after_those_of_its_lowest_rank():
    a, b = [0.95, 0.951, 0.949, 0.95], [0.93, 0.931, 0.93, 0.929]
    near = [0.9302, 0.9308, 0.9301, 0.9292]
    assert compare(by_seed(a=a, b=b, c=near), {"b": 1}).methods == ("a", "c", "b")
    assert compare(by_seed(a=a[:3], b=b, c=near), {"a": 1}).methods == ("c", "b", "a")
