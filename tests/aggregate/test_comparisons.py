"""Against published numbers and scipy's twins."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweeper.aggregate.comparisons import compare_paired, hedges_g, holm

# Student (1908), Biometrika 6, p. 20: hours of sleep gained by ten patients from two soporifics.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_students_sleep_data():
    """R: t.test(extra ~ group, sleep, paired = TRUE): t = -4.0621, p = 0.002833, -2.4598858 to -0.7001142."""
    found = compare_paired(FIRST, SECOND)
    assert (found.n, found.ahead) == (10, 0)
    assert found.difference == pytest.approx(-1.58)
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142))


def test_the_sleep_datas_effect_size():
    """d_z = t / √n = -4.0621 / √10, times J(9) = 0.9139 (Hedges 1981's exact factor; 1 - 3 / (4 · 9 - 1) = 0.9143)."""
    assert compare_paired(FIRST, SECOND).effect == pytest.approx(-4.0621 / math.sqrt(10) * 0.9139, abs=1e-3)
    assert hedges_g([1.0, 2.0, 3.0]) == pytest.approx(2.0 * 1 / math.sqrt(math.pi))  # J(2) = Γ(1) / Γ(1/2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=12))
def test_p_is_scipys(pairs):
    a, b = zip(*pairs, strict=True)
    found = compare_paired(a, b)
    if math.isnan(found.p) or found.deviation < 1e-9:
        return
    assert found.p == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-6, abs=1e-12)


def test_equal_differences_give_no_test():
    """Their t is infinite or 0 / 0; neither is evidence from three runs."""
    found = compare_paired([0.9, 0.8, 0.7], [0.8, 0.7, 0.6])
    assert found.difference == pytest.approx(0.1) and found.ahead == 3
    assert math.isnan(found.p) and math.isnan(found.effect)
    tiny = compare_paired([0.0, 0.0, 1e-200], [0.0, 0.0, 0.0])  # its square is 0
    assert math.isnan(tiny.p) and math.isnan(tiny.effect)


def test_one_pair_has_a_difference_only():
    found = compare_paired([0.9], [0.8])
    assert found.difference == pytest.approx(0.1)
    assert all(map(math.isnan, (found.deviation, found.low, found.high, found.p, found.effect)))


def test_unequal_lengths_are_no_pairs():
    with pytest.raises(ValueError, match="zip"):
        compare_paired([0.9, 0.8], [0.8])


def test_holms_own_steps():
    """R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03 0.06 0.06 0.02."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_a_test_that_could_not_be_made_is_none_of_the_family():
    corrected = holm([0.01, math.nan, 0.02])
    assert math.isnan(corrected[1]) and corrected[0] == pytest.approx(0.02) and corrected[2] == pytest.approx(0.02)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_lowers_nothing_keeps_the_order_and_is_at_most_bonferroni(p_values):
    corrected = holm(p_values)
    for p, c in zip(p_values, corrected, strict=True):
        assert p <= c <= min(1.0, p * len(p_values)) + 1e-12
    assert sorted(range(len(p_values)), key=lambda k: (corrected[k], p_values[k])) == sorted(
        range(len(p_values)), key=lambda k: p_values[k]
    )
