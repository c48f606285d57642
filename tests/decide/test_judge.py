"""Pairs are decided look by look, on the seeds that both arms have; who is decided leaves."""

import math

import numpy as np
import pytest

from sweeper.aggregate.comparisons import compare
from sweeper.decide.judge import DIFFERENT, EQUIVALENT, OPEN, Result, judge
from sweeper.decide.rule import Rule

RULE = Rule(looks=(3, 5, 8))


def results(means: dict[str, float], seeds: int, deviation: float = 0.001, rng: int = 0) -> dict[str, dict]:
    numbers = np.random.default_rng(rng)
    return {
        m: {s: Result(mean + deviation * numbers.normal()) for s in range(1, seeds + 1)} for m, mean in means.items()
    }


def test_the_next_look_waits_for_the_seeds_of_the_arms_in_play():
    assert judge(("a", "b"), {}, RULE).waits == ("a", "b")
    found = judge(("a", "b", "c"), results({"a": 0.9, "b": 0.9, "c": 0.5}, 3), RULE)
    assert [look.seeds for look in found.looks] == [3] and (found.waits, found.next_seeds) == (("a", "b"), 5)
    assert {frozenset((v.a, v.b)): v.verdict for v in found.looks[0].verdicts} == {
        frozenset("ab"): OPEN,
        frozenset("ac"): DIFFERENT,
        frozenset("bc"): DIFFERENT,
    }


def test_a_look_is_tukeys_comparison_at_its_own_level():
    runs = results({"a": 0.91, "b": 0.905, "c": 0.9}, 3)
    (look,) = judge(("a", "b", "c"), runs, RULE).looks
    assert look.spent == pytest.approx(0.05 * 3 / 8)
    scores = {arm: {seed: r.score for seed, r in by_seed.items()} for arm, by_seed in runs.items()}
    intervals = {(d.a, d.b): (d.low, d.high) for d in compare(scores, {}, 1 - 0.05 * 3 / 8).differences}
    assert {(v.a, v.b): (v.low, v.high) for v in look.verdicts} == intervals


def test_the_last_look_ends_it_and_pairs_stay_open():
    found = judge(("a", "b"), results({"a": 0.9, "b": 0.9}, 8, rng=1), RULE)
    assert [look.seeds for look in found.looks] == [3, 5, 8] and found.waits == ()
    assert found.open == {frozenset("ab")} and found.verdicts()[0].verdict == OPEN


def test_a_pair_within_the_margin_is_equivalent_and_its_arms_leave():
    runs = results({"a": 0.9, "b": 0.9}, 8, rng=1)
    found = judge(("a", "b"), runs, Rule(margin=0.01, looks=(3, 5, 8)))
    assert found.verdicts()[0].verdict == EQUIVALENT and found.waits == () and not found.open


def test_a_failed_run_is_missing_and_a_diverged_arm_is_never_first():
    runs = results({"a": 0.95, "b": 0.5}, 5)
    runs["a"][2] = Result(math.nan)
    found = judge(("a", "b"), runs, Rule(looks=(5, 8)))
    assert found.verdicts()[0].verdict == DIFFERENT and found.verdicts()[0].n == 4
    runs["a"][2] = Result(math.nan, diverged=True)
    found = judge(("a", "b"), runs, Rule(looks=(5, 8)))
    assert found.verdicts()[0].verdict == OPEN and found.looks[0].diverged == {"a": 1}
    assert found.waits == ("a", "b")


def test_an_arm_without_any_completed_run_gets_no_interval():
    runs = results({"a": 0.9, "b": 0.9}, 3)
    runs["b"] = {seed: Result(math.nan, True) for seed in (1, 2, 3)}
    (look,) = judge(("a", "b"), runs, RULE).looks
    assert look.verdicts[0].verdict == OPEN and look.as_json()["pairs"][0]["low"] is None


@pytest.mark.slow
@pytest.mark.parametrize("arms", [2, 4])
def test_equal_arms_are_called_different_no_more_often_than_the_level(arms):
    """The family-wise error over all looks and pairs, with its Monte Carlo band."""
    numbers, studies, names = np.random.default_rng(arms), 400, tuple("abcd"[:arms])
    wrong = 0
    for _ in range(studies):
        runs = {m: {s: Result(float(numbers.normal())) for s in range(1, 9)} for m in names}
        wrong += any(v.verdict == DIFFERENT for v in judge(names, runs, RULE).verdicts())
    assert wrong / studies <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)
