"""The number of lanes by given gains: the time of the whole sweep decides, its last round included."""

import pytest

from sweeper.train.launchers.lane_gains import choose_lanes, covers, gain_at, is_past_the_best, sweep_time

GAINS = {1: 1.0, 2: 1.1, 3: 1.2, 5: 1.4}


@pytest.mark.parametrize(
    ("runs", "lanes", "time"),
    [(1, 1, 1), (5, 1, 5), (6, 3, 6 / 1.2), (5, 3, 3 / 1.2 + 2 / 1.1), (7, 3, 6 / 1.2 + 1), (9, 5, 5 / 1.4 + 4 / 1.3)],
)
def test_the_last_runs_have_fewer_beside_them(runs, lanes, time):
    assert sweep_time(GAINS, runs, lanes) == pytest.approx(time)


@pytest.mark.parametrize(
    ("gains", "runs", "best"),
    [
        (GAINS, 1, 1),
        (GAINS, 2, 2),
        (GAINS, 5, 5),
        ({1: 1.0, 3: 1.3, 5: 1.35}, 6, 3),  # 5 and then 1 alone are slower than twice 3
        (GAINS, 1000, 5),
        ({1: 1.0, 2: 1.005, 3: 1.005}, 6, 1),  # within 1 %
        ({1: 1.0, 2: 0.9}, 6, 1),
        ({1: 1.0, 2: 1.5, 3: 0.0}, 3, 2),  # no room for three
    ],
)
def test_the_shortest_sweep_decides(gains, runs, best):
    assert choose_lanes(gains, runs) == best


def test_between_measured_numbers_lies_a_straight_line():
    assert gain_at(GAINS, 4) == pytest.approx(1.3) and gain_at(GAINS, 8) == 1.4


def test_gains_cover_as_many_lanes_as_there_are_runs():
    assert covers({1: 1.0, 2: 1.1, 3: 1.1}, 3) and not covers({1: 1.0, 2: 1.1, 3: 1.1}, 4)
    assert covers({1: 1.0, 2: 0.8}, 100) and covers({1: 1.0}, 1)
    assert covers({1: 1.0, 2: 1.1, 3: 1.1, 4: 1.1, 5: 1.1, 6: 1.1, 8: 1.2}, 1000)
    assert covers({1: 1.0, 2: 1.1, 3: 1.1, 4: 1.1, 5: 1.1, 6: 1.1}, 7)


def test_one_slower_number_is_not_the_end():
    assert not is_past_the_best({1: 1.0, 2: 0.95}) and not is_past_the_best({1: 1.0, 2: 0.95, 3: 0.97})
    assert is_past_the_best({1: 1.0, 2: 1.3, 3: 1.25, 4: 1.2}) and is_past_the_best({1: 1.0, 2: 1.5, 3: 0.0})
