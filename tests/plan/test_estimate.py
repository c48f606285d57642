"""The arithmetic of a plan, against counts by hand and against a simulation minute by minute."""

from hypothesis import given
from hypothesis import strategies as st

from sweeper.plan.estimate import Cost, ends, epochs_within, kept_bytes


def test_runs_take_the_next_free_place():
    assert ends([2, 3, 1], 1) == [2, 5, 6]
    assert ends([2, 3, 1], 2) == [2, 3, 3]
    assert ends([2, 3, 1], 9) == [2, 3, 1]
    assert ends([], 2) == []


@given(st.lists(st.integers(1, 20), max_size=12), st.integers(1, 5))
def test_ends_are_those_of_workers_that_tick(seconds, at_a_time):
    """A slow twin: each second every worker does a second of its run, or takes the next one."""
    left, waiting, found = {}, list(enumerate(seconds)), {}
    for second in range(sum(seconds) + 1):
        for number in [n for n in left if left[n] == 0]:
            found[number] = second
            del left[number]
        while waiting and len(left) < at_a_time:
            number, length = waiting.pop(0)
            left[number] = length
        left = {number: length - 1 for number, length in left.items()}
    assert ends(seconds, at_a_time) == [found[k] for k in range(len(seconds))]


def test_a_run_costs_its_epochs_and_what_is_beside_them():
    assert Cost(left=10, run_seconds=3.0, epoch_seconds=0.5).seconds == 8.0


def test_epochs_within_is_the_largest_number_that_fits():
    costs = [Cost(left=1, run_seconds=1.0, epoch_seconds=2.0)] * 3
    # Two at a time, three runs: two after one another, each of 1 + 2 e seconds, and 5 beside them.
    assert epochs_within(costs, 2, beside=5.0, within=5 + 2 * (1 + 2 * 7)) == 7
    assert epochs_within(costs, 2, beside=5.0, within=5 + 2 * (1 + 2 * 7) - 0.1) == 6
    assert epochs_within(costs, 2, beside=5.0, within=10.9) == 0


def test_disk_grows_by_weights_and_epochs():
    assert kept_bytes([(10, 1000)]) - kept_bytes([(10, 0)]) == 1000
    assert kept_bytes([(11, 0)]) > kept_bytes([(10, 0)]) > kept_bytes([(10, 0)], page=False) > 0
