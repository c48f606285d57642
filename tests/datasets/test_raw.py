"""An order that belongs to a key is a permutation, the same on every machine."""

from sweeper.datasets.raw import keyed_order


def test_a_key_gives_one_permutation_and_another_key_another():
    order = keyed_order(100, "train", 1)
    assert sorted(order.tolist()) == list(range(100))
    assert (keyed_order(100, "train", 1) == order).all()
    assert (keyed_order(100, "train", 2) != order).any() and (keyed_order(100, "test", 1) != order).any()


def test_an_order_stays_what_it_is():
    """Limits and splits of recorded runs would be of other images if it moved."""
    assert keyed_order(8, "golden", 0).tolist() == [1, 7, 3, 5, 0, 6, 4, 2]
