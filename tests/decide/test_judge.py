"""Pairs are decided look by look, on the seeds that both arms have; who is decided leaves."""

import math

import numpy as np
import pytest
from scipy import stats

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


def test_pairs_that_are_asked_for_alone_share_the_level_by_bonferroni():
    runs = results({"new": 0.903, "a": 0.905, "b": 0.9, "c": 0.7}, 3)
    pairs = {frozenset(("new", other)) for other in "abc"}
    found = judge(("new", "a", "b", "c"), runs, Rule(looks=(3,)), pairs)
    assert {frozenset((v.a, v.b)) for v in found.verdicts()} == pairs and found.waits == ()
    scores = {arm: {seed: r.score for seed, r in by_seed.items()} for arm, by_seed in runs.items()}
    comparison = compare(scores)
    assert comparison.df == 6
    for v in found.verdicts():
        half = stats.t.isf(0.05 / 3 / 2, 6) * comparison.between(v.a, v.b).error
        assert (v.low, v.high) == (pytest.approx(v.difference - half), pytest.approx(v.difference + half))


def test_seeds_are_those_that_are_given_in_their_order():
    runs = {
        arm: {seed + 6: r for seed, r in by_seed.items()} for arm, by_seed in results(dict(a=0.9, b=0.9), 3).items()
    }
    assert judge(("a", "b"), runs, Rule(looks=(2, 5)), order=(7, 8, 9, 10, 11)).looks[0].verdicts[0].n == 2
    del runs["b"][8]
    waiting = judge(("a", "b"), runs, Rule(looks=(2, 5)), order=(7, 8, 9, 10, 11))
    assert waiting.waits == ("b",), "an arm that has its seeds waits for none"


def test_an_arm_that_left_as_equivalent_still_counts_in_the_intervals():
    """Of equal arms the middle ones leave so, and the extreme ones are the furthest apart of all."""
    runs = results({"a": 0.9016, "b": 0.9008, "c": 0.9}, 8, rng=11)
    found = judge(("a", "b", "c"), runs, Rule(margin=0.0032, looks=(5, 8)))
    first, second = found.looks
    assert {v.verdict for v in first.verdicts if "b" in (v.a, v.b)} == {EQUIVALENT} and second.arms == ("a", "c")
    scores = {arm: {seed: r.score for seed, r in runs[arm].items()} for arm in "ac"}
    (alone,) = compare(scores, {}, 1 - 0.05 * 3 / 8).differences
    (among,) = compare(scores, {}, 1 - 0.05 * 3 / 8, among=3).differences
    (last,) = second.verdicts
    assert (last.low, last.high) == (among.low, among.high) and among.low < alone.low


def test_an_arm_that_left_as_different_does_not():
    runs = results({"a": 0.9, "b": 0.9, "c": 0.5}, 8, rng=1)
    look = judge(("a", "b", "c"), runs, Rule(margin=0.00001, looks=(3, 8))).looks[1]
    scores = {arm: {seed: r.score for seed, r in runs[arm].items()} for arm in "ab"}
    (alone,) = compare(scores, {}, 1 - 0.05 * 5 / 8).differences
    assert look.arms == ("a", "b") and [(v.low, v.high) for v in look.verdicts] == [(alone.low, alone.high)]


def test_an_arm_without_a_completed_run_does_not_count_in_the_intervals():
    runs = results({"a": 0.9, "b": 0.9}, 3) | {"c": {s: Result(math.nan, diverged=True) for s in (1, 2, 3)}}
    (look,) = judge(("a", "b", "c"), runs, RULE).looks
    scores = {arm: {seed: r.score for seed, r in runs[arm].items()} for arm in "ab"}
    (alone,) = compare(scores, {}, 1 - 0.05 * 3 / 8).differences
    assert (alone.low, alone.high) in [(v.low, v.high) for v in look.verdicts]


@pytest.mark.slow
def test_equivalent_arms_that_leave_do_not_raise_the_error_of_the_others():
    """The intervals of those alone that stay would be too narrow: the most alike have left."""
    numbers, studies, names = np.random.default_rng(5), 1000, tuple("abcdefghij")
    rule, wrong = Rule(margin=2.0, looks=(15, 20)), 0  # in standard deviations of the scores
    for _ in range(studies):
        scores = numbers.normal(size=(len(names), 20)).tolist()
        runs = {m: {s: Result(v) for s, v in enumerate(row, 1)} for m, row in zip(names, scores, strict=True)}
        wrong += any(v.verdict == DIFFERENT for v in judge(names, runs, rule).verdicts())
    assert wrong / studies <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)


@pytest.mark.slow
def test_a_newcomer_equal_to_a_field_is_called_different_no_more_often_than_the_level():
    numbers, studies, field = np.random.default_rng(9), 500, "abcd"
    pairs, wrong = {frozenset(("new", other)) for other in field}, 0
    for _ in range(studies):
        runs = {m: {s: Result(float(numbers.normal())) for s in range(1, 6)} for m in ("new", *field)}
        decision = judge(("new", *field), runs, Rule(looks=(3, 5)), pairs)
        wrong += any(v.verdict == DIFFERENT for v in decision.verdicts())
    assert 0.01 < wrong / studies <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)


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


def test_a_look_tells_who_scatters_plainly_more():
    """The level supposes that all scatter alike: a newcomer that scatters 8 times is called different in 20 %."""
    numbers = np.random.default_rng(3)
    arms = ("new", *"abcde")
    runs = {
        arm: {seed: Result(0.9 + 0.001 * (8 if arm == "new" else 1) * numbers.normal()) for seed in range(1, 6)}
        for arm in arms
    }
    (look,) = judge(arms, runs, Rule(looks=(5,)), {frozenset(("new", other)) for other in "abcde"}).looks
    assert look.scatter and look.scatter.method == "new" and "scatter" not in look.as_json()
