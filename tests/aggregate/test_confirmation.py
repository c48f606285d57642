"""Which seeds of a search's settings are a confirmation's."""

import pytest

from sweeper.aggregate.confirmation import confirmation_seeds

SEARCH, AGAIN = frozenset({101}), frozenset({101, 102, 103})


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ([SEARCH] * 7 + [AGAIN] * 2, {102, 103}),
        ([SEARCH] + [AGAIN] * 2, {102, 103}),
        ([SEARCH] * 9, set()),
        ([AGAIN] * 9, set()),  # a search with three seeds
        ([AGAIN] * 8 + [SEARCH], set()),  # one that lacks some runs
        ([SEARCH] * 8 + [AGAIN], set()),  # one setting is confirmed against nothing
        ([SEARCH] * 7 + [AGAIN, frozenset({101, 102})], set()),  # not all of it is there yet
        ([frozenset({1}), frozenset({2, 3}), frozenset({2, 3})], set()),
        ([AGAIN], set()),
        ([], set()),
    ],
)
def test_those_that_the_best_have_beyond_the_searchs_own(settings, found):
    assert confirmation_seeds(settings) == found
