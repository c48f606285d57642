"""Equal points are moved apart, the same way each time."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sweeper.report.jitter import levels


def test_equal_values_stand_on_levels_of_their_own():
    assert levels([1.0, 1.0, 1.0, 1.0], 0.1) == [0, 1, -1, 2]
    assert levels([3.0, 1.0, 2.0], 0.5) == [0, 0, 0] and levels([], 1.0) == []


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.001, 0.5))
def test_no_two_on_one_level_are_near(values, near):
    found = levels(values, near)
    for level in set(found):
        alike = sorted(value for value, of in zip(values, found, strict=True) if of == level)
        assert all(b - a >= near for a, b in itertools.pairwise(alike))
