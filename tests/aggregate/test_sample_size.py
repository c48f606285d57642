"""Seeds for a true difference: the odds are those of simulated studies, and no fewer seeds suffice."""

import pytest

from benchmarks.figures import read_csv
from benchmarks.power import DEVIATION, FILE, LEAD, SHARED
from sweeper.aggregate.comparisons import compare, quantile
from sweeper.aggregate.sample_size import MOST, _power, describe_seeds, seeds_needed

DEVIATIONS = {"equal scatter": DEVIATION, "seeds matter": DEVIATION * (1 - SHARED) ** 0.5}
SIMULATED = [row for row in read_csv(FILE) if row["scenario"] in DEVIATIONS]


def pair_power(difference, deviation, methods, seeds):
    """The odds that the simultaneous interval of one pair lies on the side of 0 of its true difference."""
    return _power(difference / deviation, methods, seeds, quantile(methods, (methods - 1) * (seeds - 1)) / 2**0.5)


@pytest.mark.parametrize("row", SIMULATED, ids=lambda row: " ".join([row["scenario"], row["methods"], row["seeds"]]))
def test_the_power_is_that_of_simulated_studies(row):
    """Within four standard errors of the simulation."""
    power = pair_power(LEAD, DEVIATIONS[row["scenario"]], int(row["methods"]), int(row["seeds"]))
    error = (power * (1 - power) / int(row["studies"])) ** 0.5
    assert float(row["power"]) == pytest.approx(power, abs=4 * error)


@pytest.mark.parametrize(("methods", "ratio"), [(2, 0.3), (2, 3), (5, 0.7), (5, 2), (10, 20)])
def test_the_seeds_are_the_fewest_that_reach_the_power(methods, ratio):
    seeds = seeds_needed(ratio, 1.0, methods)
    assert pair_power(ratio, 1.0, methods, seeds) >= 0.8
    assert seeds == 2 or pair_power(ratio, 1.0, methods, seeds - 1) < 0.8


def test_a_paired_t_test_of_two_needs_what_statsmodels_says():
    """`TTestPower().solve_power(0.5, power=0.8, alpha=0.05)` is 33.37; differences scatter √2 times as much."""
    assert seeds_needed(0.5 * 2**0.5, 1.0, 2) == 34


def test_what_no_number_of_seeds_finds_is_said():
    assert seeds_needed(1e-6, 1.0, 5) is None
    scores = {m: {s: 50.0 * (s * k % 7) for s in range(5)} for k, m in enumerate(("adam", "sgd", "lion"), 1)}
    (said,) = describe_seeds(compare(scores), 60)
    assert said.endswith(f"takes over {MOST:,} seeds.")


def test_the_words_have_the_numbers_and_nothing_is_said_without_scatter():
    scores = {"sgd": {1: 0.95, 2: 0.951, 3: 0.952}, "lion": {1: 0.94, 2: 0.943, 3: 0.942}}
    found = compare(scores)
    needed = [seeds_needed(d, found.deviation, 2) for d in (0.001, 0.002, 0.005)]
    power, time = describe_seeds(found, 3600.0)
    seeds = f"{needed[0]}, {needed[1]} or {needed[2]} seeds"
    assert power == f"At 80 % power a true difference of 0.1, 0.2 or 0.5 points takes {seeds}."
    assert time.startswith("They take ") and time.endswith(f" or {needed[2]} h 0 min of the device, as these runs did.")
    assert describe_seeds(compare({"sgd": {1: 0.9, 2: 0.8}}), 1.0) == describe_seeds(compare({}), 1.0) == []
