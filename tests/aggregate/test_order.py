"""Letters, blocks and ranks say exactly what the pairs say."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sweeper.aggregate.order import Order


def order(methods, *better):
    return Order(tuple(methods), frozenset((a, b) for a, b in better))


@st.composite
def orders(draw):
    """By heights, with what the unbalanced case and diverged runs take away."""
    methods = "abcdefg"[: draw(st.integers(0, 7))]
    height = {m: draw(st.floats(0, 10)) for m in methods}
    far = [(a, b) for a, b in itertools.permutations(methods, 2) if height[a] > height[b] + 1]
    return order(methods, *(pair for pair in far if draw(st.integers(0, 9))))


@given(orders())
def test_two_share_a_letter_exactly_if_neither_is_better(found):
    for a, b in itertools.combinations(found.methods, 2):
        share = bool(set(found.letters[a]) & set(found.letters[b]))
        assert share == (not found.is_better(a, b) and not found.is_better(b, a))
    assert all(found.letters[m] for m in found.methods)


@given(orders())
def test_each_is_better_than_all_of_every_later_block(found):
    assert sorted(itertools.chain(*found.blocks)) == sorted(found.methods)
    for before, after in itertools.combinations(found.blocks, 2):
        assert all(found.is_better(a, b) for a in before for b in after)


@given(orders())
def test_a_rank_leaves_room_for_all_that_are_better_and_worse(found):
    for m in found.methods:
        low, high = found.ranks[m]
        assert low == 1 + sum(found.is_better(other, m) for other in found.methods)
        assert high == len(found.methods) - sum(found.is_better(m, other) for other in found.methods)
        assert 1 <= low <= high


def test_overlapping_groups():
    found = order("xyz", ("x", "z"))
    assert found.letters == {"x": "a", "y": "ab", "z": "b"}
    assert found.blocks == [["x", "y", "z"]]
    assert found.ranks == {"x": (1, 2), "y": (1, 3), "z": (2, 3)}


def test_a_whole_order():
    found = order("xyz", ("x", "y"), ("x", "z"), ("y", "z"))
    assert found.letters == {"x": "a", "y": "b", "z": "c"} and found.blocks == [["x"], ["y"], ["z"]]


def test_more_groups_than_letters():
    names = [f"m{k:02}" for k in range(30)]
    found = order(names, *itertools.combinations(names, 2))
    assert len(set(found.letters.values())) == 30 and found.letters["m29"] == "d1"
