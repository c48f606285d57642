"""Against numpy's least squares on the design written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.aggregate.block_design import BlockDesign


@st.composite
def designs(draw):
    methods, seeds = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    there = np.array(draw(st.lists(st.booleans(), min_size=methods * seeds, max_size=methods * seeds)))
    there = there.reshape(methods, seeds)
    there[there.sum(axis=1) == 0, 0] = True
    return there[:, there.any(axis=0)]


@settings(deadline=None)
@given(designs(), st.integers(0, 1000))
def test_it_is_least_squares_of_the_whole_design(there, seed):
    numbers = np.random.default_rng(seed)
    scores = numbers.normal(0.9, 0.1, there.shape)
    i, j = np.nonzero(there)
    methods, seeds = there.shape
    whole = np.zeros((len(i), methods + seeds))
    whole[np.arange(len(i)), i] = whole[np.arange(len(i)), methods + j] = 1
    theirs, _, rank, _ = np.linalg.lstsq(whole, scores[i, j], rcond=None)
    design = BlockDesign(there)
    effects, residuals = design.fit(scores)
    assert design.df == len(i) - rank
    assert residuals[i, j] == pytest.approx(scores[i, j] - whole @ theirs, abs=1e-9)
    assert np.isnan(residuals[~there]).all()
    variances = np.linalg.pinv(whole.T @ whole)
    for a in range(methods):
        for b in range(a):
            contrast = np.zeros(methods + seeds)
            contrast[[a, b]] = 1, -1
            if design.parts[a] != design.parts[b]:
                assert np.isnan(design.errors()[a, b])
                continue
            assert effects[a] - effects[b] == pytest.approx(theirs[a] - theirs[b], abs=1e-9)
            assert design.errors()[a, b] ** 2 == pytest.approx(contrast @ variances @ contrast)


def test_many_studies_at_once_are_fitted_as_one_by_one():
    there = np.array([[True, True, True], [True, False, True], [True, True, True]])
    scores = np.random.default_rng(1).normal(size=(4, 3, 3))
    design = BlockDesign(there)
    effects, residuals = design.fit(scores)
    for k in range(4):
        alone, left = design.fit(scores[k])
        assert effects[k] == pytest.approx(alone) and np.allclose(residuals[k], left, equal_nan=True)
        assert design.deviation(residuals)[k] == pytest.approx(design.deviation(left))


def test_parts_are_what_seeds_connect():
    assert BlockDesign(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)).parts == [0, 0, 2]
