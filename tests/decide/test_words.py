"""A decision's sentences: read off the intervals, and no longer than 25 words."""

import math
from dataclasses import replace

import pytest

from sweeper.aggregate.scatter import Scatter
from sweeper.decide.judge import DIFFERENT, EQUIVALENT, OPEN, Decision, Look, Verdict
from sweeper.decide.rule import Rule
from sweeper.decide.words import answer, describe, describe_look, describe_scatter, interval, seeds_words

RULE = Rule(margin=0.002, looks=(3, 5))
BETTER = Verdict("lion", "sgd", 3, 0.0069, 0.0028, 0.011, DIFFERENT)
EQUAL = Verdict("lion", "adam", 5, 0.0004, -0.0011, 0.0019, EQUIVALENT)
UNDECIDED = Verdict("sgd", "adam", 5, 0.0019, -0.009, 0.012, OPEN)
NONE = Verdict("a", "b", 0, math.nan, math.nan, math.nan, OPEN)
FLAT = Verdict("a", "b", 3, 0.0, math.nan, math.nan, OPEN)


def test_a_pair():
    assert describe(BETTER, RULE) == "lion is higher than sgd by 0.69 points (interval +0.28 to +1.10)."
    assert describe(EQUAL, RULE) == (
        "lion and adam are equivalent within ±0.2 points (n = 5); lion leads by 0.04 points (interval −0.11 to +0.19)."
    )
    assert describe(UNDECIDED, RULE) == "open: sgd leads adam by 0.19 points (interval −0.90 to +1.20)."
    assert describe(NONE, RULE) == "a and b: no seed of which both have a completed run."
    assert describe(FLAT, RULE) == "a and b are level (n = 3); no scatter to judge it by."
    one = Verdict("a", "b", 1, 0.01, math.nan, math.nan, OPEN)
    assert describe(one, RULE) == "a leads b by 1.00 points (n = 1); too few seeds in common to judge it by."
    level = Verdict("a", "b", 3, 0.0, -0.01, 0.01, OPEN)
    assert describe(level, RULE) == "open: a and b are level (interval −1.00 to +1.00)."
    assert describe(BETTER, RULE, {"lion": 1}).startswith("lion diverged in 1; among finished runs lion is higher")


def test_a_name_with_a_sign_of_the_order_stands_in_quotes():
    odd, lost = "lr 1, long", {"lr 1, long": 1}
    for verdict in (BETTER, EQUAL, NONE, FLAT):
        named = replace(verdict, a=odd)
        assert describe(named, RULE, lost).replace('"lr 1, long"', verdict.a) == describe(verdict, RULE, {verdict.a: 1})
    two = decision([replace(BETTER, a=odd), EQUAL])
    assert answer(two, RULE) == 'Decided after 5 seeds: "lr 1, long" > sgd, lion = adam.'
    assert seeds_words({odd: [1]}) == '"lr 1, long" with seed 1'
    look = Look(3, 0.05, (odd, "sgd"), (BETTER,), scatter=Scatter(odd, 3.14, 3))
    assert describe_look(look, RULE)[-1] == '  "lr 1, long" scatters 3.1 times as much as the others.'


def decision(verdicts, waits=()):
    looks = [Look(5, 0.05, ("lion", "sgd", "adam"), tuple(verdicts))] if verdicts else []
    return Decision(looks, {frozenset((v.a, v.b)) for v in verdicts if v.verdict == OPEN}, waits, 5)


def test_the_sentence_of_the_end():
    assert answer(decision([BETTER]), RULE) == f"Decided after 5 seeds: {describe(BETTER, RULE)}"
    assert answer(decision([BETTER, EQUAL]), RULE) == "Decided after 5 seeds: lion > sgd, lion = adam."
    assert answer(decision([UNDECIDED]), RULE) == (
        "No winner after 5 seeds: sgd leads adam by 0.19 points (interval −0.90 to +1.20); no look comes after 5 seeds."
    )
    assert answer(decision([UNDECIDED, BETTER]), RULE, "the time is used up") == (
        "1 of 2 pairs is undecided: the time is used up; decided: lion > sgd."
    )
    assert answer(decision([]), RULE, "the time is used up") == "Nothing is decided: the time is used up."
    assert answer(decision([FLAT]), RULE) == (
        "No winner after 5 seeds: a and b are level (n = 3); no scatter to judge it by; no look comes after 5 seeds."
    )


def test_the_sentence_of_the_end_tells_who_diverged():
    """Else an interval that excludes 0 stands beside "No winner"."""
    apart = Verdict("sgd", "adam", 2, 0.0515, 0.0324, 0.0706, OPEN)
    found = Decision([Look(3, 0.05, ("sgd", "adam"), (apart,), {"sgd": 1})], {frozenset(("sgd", "adam"))}, (), 3)
    assert answer(found, RULE) == (
        "No winner after 3 seeds: sgd diverged in 1; among finished runs sgd leads adam by 5.15 points "
        "(interval +3.24 to +7.06); no look comes after 3 seeds."
    )
    won = Verdict("adam", "sgd", 2, 0.0515, 0.0324, 0.0706, DIFFERENT)
    found = Decision([Look(3, 0.05, ("sgd", "adam"), (won,), {"sgd": 1})], set(), (), 3)
    assert "sgd diverged in 1; among finished runs adam is higher than sgd" in answer(found, RULE)


def test_of_several_pairs_it_tells_who_diverged_too():
    apart = Verdict("sgd", "adam", 2, 0.0515, 0.0324, 0.0706, OPEN)
    look = Look(3, 0.05, ("sgd", "adam", "lion"), (apart, BETTER), {"sgd": 1})
    assert answer(Decision([look], {frozenset(("sgd", "adam"))}, (), 3), RULE) == (
        "1 of 2 pairs is undecided: no look comes after 3 seeds; decided: lion > sgd; sgd diverged in 1."
    )
    later = Look(5, 0.05, ("lion", "adam"), (EQUAL,))
    decided = Decision([Look(3, 0.05, ("lion", "sgd"), (BETTER,), {"sgd": 1}), later], set(), (), 5)
    assert answer(decided, RULE) == "Decided after 5 seeds: lion > sgd, lion = adam; sgd diverged in 1."
    assert describe_look(look, RULE)[1] == (
        "  open: sgd diverged in 1; among finished runs sgd leads adam by 5.15 points (interval +3.24 to +7.06)."
    )
    assert describe(NONE, RULE, {"a": 3}) == "a diverged in 3; a and b: no seed of which both have a completed run."


@pytest.mark.parametrize("verdicts", [[BETTER], [EQUAL], [UNDECIDED], [NONE], [FLAT], [BETTER, EQUAL, UNDECIDED]])
def test_no_sentence_is_long(verdicts):
    found = decision(verdicts)
    for line in [answer(found, RULE), *describe_look(found.looks[0], RULE)] if found.looks else []:
        assert all(len(sentence.split()) <= 25 for sentence in line.split(". "))


def test_what_is_not_0_is_not_shown_as_0():
    tiny = Verdict("lion", "sgd", 20, 0.00002, 0.00001, -0.00001, OPEN)
    assert interval(tiny) == "0.002 points (interval +0.001 to −0.001)"


def test_who_scatters_plainly_more_is_said_at_the_look_and_at_the_end():
    wide = Look(3, 0.05, ("lion", "sgd", "adam"), (BETTER,), scatter=Scatter("lion", 3.14, 3))
    found = Decision([wide, Look(5, 0.05, ("lion", "adam"), (EQUAL,))], set(), (), 5)
    assert describe_look(wide, RULE)[-1] == "  lion scatters 3.1 times as much as the others."
    assert describe_scatter(found, RULE) == (
        "At 3 seeds lion scatters 3.1 times as much as the others, which the intervals don't allow for: "
        "the error may be above 5 %."
    )
    assert describe_scatter(decision([BETTER]), RULE) == ""
