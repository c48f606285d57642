"""Which scatters are plainly unequal, against a table of Cochran's test."""

import math

import numpy as np
import pytest

from sweeper.aggregate.scatter import ERROR_RATES, Scatter, plain_scatter


def residuals(*deviations, n=5):
    """Rows of n residuals with exactly these deviations."""
    shape = np.linspace(-1, 1, n)
    return {f"m{k}": d * shape / shape.std(ddof=1) for k, d in enumerate(deviations)}


def test_the_trigger_is_cochrans_table():
    """Cochran's C at 5 % for five variances of four degrees of freedom each: 0.544 (Eisenhart et al. 1947)."""
    for share, plain in ((0.540, False), (0.548, True)):
        largest = math.sqrt(4 * share / (1 - share))
        assert (plain_scatter(residuals(1, 1, 1, 1, largest)) is not None) == plain


def test_the_ratio_is_to_the_others_together():
    found = plain_scatter(residuals(1, 1, 1, 1, 6))
    assert (found.method, found.methods) == ("m4", 5) and found.ratio == pytest.approx(6)


def test_one_that_scatters_less_is_no_fault():
    assert plain_scatter(residuals(3, 3, 3, 3, 0.1)) is None


def test_two_methods_and_single_seeds_tell_nothing():
    assert plain_scatter(residuals(1, 100)) is None
    assert plain_scatter({"a": np.array([0.1]), "b": np.array([0.1]), "c": np.array([0.2])}) is None


def test_others_without_any_scatter():
    found = plain_scatter(residuals(0, 0, 0, 1))
    assert found.ratio == math.inf and found.simulated == (8, ERROR_RATES[5][8])


@pytest.mark.parametrize(
    ("methods", "ratio", "simulated"),
    [(3, 1.5, (3, 2)), (4, 3, (5, 4)), (5, 4, (5, 4)), (11, 2, (18, 2)), (18, 20, (18, 8))],
)
def test_the_next_simulated_case_is_told(methods, ratio, simulated):
    k, r = simulated
    found = Scatter("a", ratio, methods)
    assert found.simulated == (r, ERROR_RATES[k][r]) and not found.beyond


def test_above_the_simulated_numbers_the_error_is_a_lower_bound():
    """It grows with the number of methods at every ratio."""
    by_ratio = zip(*(rates.values() for _, rates in sorted(ERROR_RATES.items())), strict=True)
    assert all([*rates] == sorted(rates) for rates in by_ratio)
    found = Scatter("a", 3, 19)
    assert found.beyond and found.simulated == (4, ERROR_RATES[18][4])
