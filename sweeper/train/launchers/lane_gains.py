"""How many runs at a time are fastest in total, by measured gains.

A gain is the speed of n runs at a time relative to runs one after another as `hydra/launcher=basic` trains them. It is
0 if memory has no room for n runs.
"""

from collections.abc import Mapping

LANES = (1, 2, 3, 4, 5, 6, 8)  # the numbers that lanes=auto tries; in measurements more were only slower
NEAR = 1.01  # the fewest lanes whose sweep takes at most this times the shortest are chosen

Gains = Mapping[int, float]


def choose_lanes(gains: Gains, runs: int) -> int:
    """The number of lanes, of those with a gain, with which a sweep of so many equal runs is over first."""
    times = {n: sweep_time(gains, runs, n) for n, gain in gains.items() if gain and n <= runs}
    return min(n for n in times if times[n] <= NEAR * min(times.values()))


def sweep_time(gains: Gains, runs: int, lanes: int) -> float:
    """The time of the sweep in units of one run alone. If the number of runs isn't a multiple of that of the lanes,
    the last ones train with fewer at a time."""
    rounds, last = divmod(runs, lanes)
    return rounds * lanes / gain_at(gains, lanes) + (last / gain_at(gains, last) if last else 0.0)


def gain_at(gains: Gains, lanes: int) -> float:
    """The gain at a number of lanes, between two measured ones by a straight line, beyond the last one that one's."""
    below = max((n for n in gains if n <= lanes), default=min(gains))
    above = min((n for n in gains if n >= lanes), default=max(gains))
    if above == below:
        return gains[below]
    return gains[below] + (gains[above] - gains[below]) * (lanes - below) / (above - below)


def covers(gains: Gains, runs: int) -> bool:
    """Whether these gains were measured with as many lanes as so many runs allow, or until more lanes were slower."""
    return max(gains) >= max(n for n in LANES if n <= max(1, runs)) or is_past_the_best(gains)


def is_past_the_best(gains: Gains) -> bool:
    """Whether more lanes than the measured ones won't help: the last number was much slower than the best one, or the
    last two were slower."""
    best, last = max(gains.values()), [gains[n] for n in sorted(gains)]
    return last[-1] < 0.88 * best or (len(last) > 3 and max(last[-2:]) < 0.98 * best)
