"""The words of a comparison: the sentences that stand in a paper, and none that an interval doesn't support."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.aggregate import conclusions
from sweeper.aggregate.comparisons import compare
from sweeper.aggregate.conclusions import answer, chance_lead, describe_comparison, describe_difference, headline

STUDY = {  # scores of five optimizers and three seeds, by the number of epochs
    100: {
        "muon": [0.9460, 0.9488, 0.9492],
        "sgd": [0.9443, 0.9449, 0.9438],
        "adamw": [0.9389, 0.9418, 0.9426],
        "adam": [0.9365, 0.9366, 0.9404],
        "lion": [0.9372, 0.9375, 0.9360],
    },
    200: {
        "muon": [0.9504, 0.9514, 0.9535],
        "sgd": [0.9465, 0.9483, 0.9483],
        "adamw": [0.9445, 0.9465, 0.9458],
        "adam": [0.9357, 0.9371, 0.9396],
        "lion": [0.9319, 0.9312, 0.9348],
    },
}
SCATTER = np.array([0.0, 0.004, -0.002, 0.001, -0.003, 0.002, 0.003, -0.001]) / 4


def by_seed(**scores):
    return {method: dict(enumerate(values, 1)) for method, values in scores.items()}


def test_the_headline_says_who_leads_where_no_interval_tells():
    found = compare(by_seed(sgd=[0.95, 0.94, 0.96], lion=[0.94, 0.95, 0.955], adam=[0.945, 0.94, 0.95]))
    d = found.between("sgd", "lion")
    low, high = f"−{-100 * d.low:.2f}", f"{100 * d.high:.2f}"
    assert headline(found) == f"No winner yet: sgd leads lion by 0.17 points (95 % CI {low} to {high})"
    lost = compare(by_seed(sgd=[0.95, 0.94, 0.96], lion=[0.94, 0.95, 0.955]), {"sgd": 1})
    assert headline(lost).startswith("No winner yet: sgd leads lion by ") and headline(lost).endswith("in 1 of 4 seeds")
    equal = compare(by_seed(sgd=[0.95, 0.94], lion=[0.94, 0.95]))
    for other in (compare(by_seed(**STUDY[200])), compare(by_seed(sgd=[0.9], lion=[0.8])), equal, compare({})):
        assert headline(other) == answer(other)


def test_with_seeds_that_differ_the_leader_is_the_models():
    """Seeds 4 to 6 are five points harder, and lion has three of them: its mean is the lowest."""
    scores = {
        "adam": {1: 0.908, 2: 0.890, 3: 0.902, 4: 0.848},
        "sgd": {1: 0.897, 2: 0.898, 3: 0.891, 5: 0.848},
        "lion": {1: 0.9015, 4: 0.868, 5: 0.856, 6: 0.854},
    }
    found = compare(scores)
    d = found.between("lion", "adam")
    assert d.a == "lion" and headline(found).startswith(f"No winner yet: lion leads adam by {100 * d.difference:.2f} ")
    assert answer(found) == "No significant difference: {lion, adam, sgd} (n = 4, seeds differ)"
    alike = {m: dict(enumerate(by.values())) for m, by in scores.items()}
    assert answer(compare(alike)).endswith("(n = 4)")


def test_the_answer_is_one_line():
    assert answer(compare(by_seed(**STUDY[200]))) == "muon > {sgd, adamw} > adam > lion"


def test_a_name_with_a_sign_of_the_order_stands_in_quotes():
    """An arm's name may have any; `{256, equal steps, 32} > 256, equal epochs` would be of five."""
    scores = dict(zip(["32", "256, long", "256, short"], list(STUDY[100].values())[::2], strict=True))
    assert answer(compare(by_seed(**scores))) == '32 > "256, long" > "256, short"'
    scores["a > b"] = scores.pop("32")
    assert answer(compare(by_seed(**scores))) == '"a > b" > "256, long" > "256, short"'


@pytest.mark.parametrize(
    ("scores", "lost"),
    [
        ({"a": 0.95 + SCATTER[:7], "b": 0.93 + SCATTER[::-1], "c": 0.90 + SCATTER}, {"a": 1}),
        ({"a": 0.95 + SCATTER[:7], "b": 0.93 + SCATTER[::-1][:7]}, {"a": 1, "b": 1}),
        ({"a": 0.9 + SCATTER, "b": 0.9 + SCATTER[::-1], "c": 0.9 - SCATTER, "d": 0.9 + 12 * np.roll(SCATTER, 1)}, {}),
        ({"a": 0.9 + SCATTER, "b": 0.9001 + SCATTER[::-1]}, {}),
        ({"a": [0.5], "b": [0.6]}, {}),
    ],
)
def test_each_sentence_quotes_such_a_name(scores, lost):
    def said(name_of):
        found = compare(
            by_seed(**{name_of[m]: of for m, of in scores.items()}), {name_of[m]: n for m, n in lost.items()}
        )
        pairs = [describe_difference(found, d, 0.002, named) for d in found.differences for named in (False, True)]
        return [answer(found, 0.002), headline(found), *describe_comparison(found, 0.002), *pairs]

    names = {m: f"{m} name" for m in scores}
    odd = {m: f"{m} name; {sign}" for m, sign in zip(scores, "{>,}", strict=False)}
    quoted = said(odd)
    for m in scores:
        quoted = [line.replace(f'"{odd[m]}"', names[m]) for line in quoted]
    assert quoted == said(names)


def test_overlapping_groups_are_told_pair_by_pair():
    line = "muon > {adamw, adam, lion}, sgd > {adam, lion}, adamw > lion"
    assert answer(compare(by_seed(**STUDY[100]))) == line


def test_pairs_in_words():
    found = compare(by_seed(**STUDY[100]))
    words = describe_difference(found, found.between("muon", "adamw"))
    assert words == "muon higher by 0.69 points (95 % CI 0.28 to 1.10)."
    words = describe_difference(found, found.between("muon", "sgd"))
    assert words == "No significant difference (n = 3); a gap up to 0.77 points remains possible."


def test_why_it_holds_and_what_it_does_not_show():
    assert describe_comparison(compare(by_seed(**STUDY[200]))) == [
        "Simultaneous 95 % intervals by Tukey's method, 10 pairs, n = 3; > means that one excludes 0.",
        "muon is higher than sgd by 0.41 points (95 % CI 0.14 to 0.68).",
        "The residual deviation is 0.10 points (8 degrees of freedom).",
        "A true difference of 0.35 points is found in four studies of five.",
        "No significant difference doesn't mean equal.",
        "With 5 equal optimizers some pair leads in all 3 seeds in 87 % of studies.",
    ]


def test_nobody_is_first_beside_one_that_diverged():
    """a is higher than b among the finished runs, which is significant; b > c stays true, but b isn't first."""
    found = compare(by_seed(a=0.95 + SCATTER[:7], b=0.93 + SCATTER[::-1], c=0.90 + SCATTER), {"a": 1})
    assert answer(found) == "b > c; no other pair has a winner; a diverged in 1 of 8 seeds"
    near = compare(by_seed(a=0.93 + SCATTER[:7], b=0.93 + SCATTER[::-1], c=0.90 + SCATTER), {"a": 1})
    assert answer(near) == "b > c; no other pair has a winner; a diverged in 1 of 8 seeds"  # a is higher than c
    low = compare(by_seed(a=0.90 - SCATTER[:7], b=0.93 + SCATTER[::-1], c=0.90 + SCATTER), {"a": 1})
    assert answer(low) == "b > {c, a}; a diverged in 1 of 8 seeds"
    words = "a diverged in 1 of 8 seeds; among finished runs a is higher by "
    assert describe_difference(found, found.between("a", "b")).startswith(words)
    assert any(one.startswith(words.replace("higher", "higher than b")) for one in describe_comparison(found))


def test_who_never_diverged_may_be_first_above_one_that_did():
    found = compare(by_seed(a=0.95 + SCATTER, b=0.93 + SCATTER[::-1][:7]), {"b": 1})
    assert answer(found) == "a > b; b diverged in 1 of 8 seeds"
    assert describe_difference(found, found.differences[0]).startswith("b diverged in 1 of 8 seeds; among finished")


def test_both_diverged():
    found = compare(by_seed(a=0.95 + SCATTER[:7], b=0.93 + SCATTER[::-1][:7]), {"a": 1, "b": 1})
    assert answer(found).startswith("No first place: {a, b}; a diverged in 1 of 8 seeds; b diverged")
    words = "a diverged in 1 of 8 seeds, b diverged in 1 of 8 seeds. Among finished runs a is higher by "
    assert describe_difference(found, found.differences[0]).startswith(words)


def test_an_end_that_is_not_0_is_not_shown_as_0():
    scores = by_seed(a=[0.9, 0.9001, 0.9003], b=[0.89999, 0.90008, 0.90029])
    found = compare(scores)
    assert describe_difference(found, found.differences[0]) == (
        "No significant difference (n = 3); a gap up to 0.003 points remains possible."
    )
    assert "The residual deviation is 0.0004 points (2 degrees of freedom)." in describe_comparison(found)


def test_no_difference_of_accuracies_above_100_points_is_called_possible():
    """A seed at chance level scatters so much that intervals end beyond what accuracies can differ by."""
    found = compare(by_seed(sgd=[0.9, 0.902, 0.1], adam=[0.92, 0.921, 0.925], lion=[0.89, 0.892, 0.891]))
    d = found.between("adam", "sgd")
    assert d.high > 1 and describe_difference(found, d).endswith("a gap up to 100.00 points remains possible.")
    assert "With such scatter no true difference is found in four studies of five." in describe_comparison(found)


def test_a_margin_is_not_rounded_to_one_that_the_interval_exceeds():
    found = compare(by_seed(a=[0.9, 0.9005, 0.9003], b=[0.8991, 0.89938, 0.89935]))
    (d,) = found.differences
    margin = d.high + 0.00001
    given = f"±{100 * margin:.12g} points"
    assert d.within(margin) and f"equivalent within {given}: a and b" in answer(found, margin)
    assert describe_difference(found, d, margin).endswith(f"Equivalent within {given}.")
    assert sum(given in sentence for sentence in describe_comparison(found, margin)) == 2


def test_who_diverged_is_equivalent_to_none():
    scores = by_seed(a=0.93 + SCATTER[:7], b=0.93 + SCATTER, c=0.93 + SCATTER[::-1])
    found = compare(scores, {"a": 1})
    assert "equivalent within ±1 point: b and c" in answer(found, 0.01).replace("c and b", "b and c")
    assert "quivalent" not in describe_difference(found, found.between("a", "b"), 0.01)
    assert describe_difference(found, found.between("b", "c"), 0.01).endswith("Equivalent within ±1 point.")


@pytest.mark.parametrize(
    ("scores", "line", "pair"),
    [
        (by_seed(a=[0.5], b=[0.6]), "one seed tells nothing of chance", "One seed tells nothing of chance."),
        ({"a": {1: 0.5, 2: 0.6}, "b": {3: 0.5, 4: 0.6}}, "no two optimizers have a seed in common", "No seed connects"),
        (
            by_seed(a=[0.1, 0.3], b=[0.1, 0.3], c=[0.1, 0.3]),
            "the same result in every seed",
            "The same result in every",
        ),
        (by_seed(a=[0.5, 0.5], b=[0.5, 0.5]), "the same result in every seed", "The same result in every seed (n = 2)"),
        (by_seed(a=[0.5, 0.6], b=[0.6, 0.7]), "same difference, so there is no scatter", "no scatter, so no interval."),
        (by_seed(a=[0.5, 0.6], b=[0.7]), "one seed tells nothing of chance", "One seed tells nothing of chance."),
        ({"a": {1: 0.5, 2: 0.6}, "b": {2: 0.7, 3: 0.6}, "c": {3: 0.5, 4: 0.4}}, "one seed", "One seed tells nothing"),
    ],
)
def test_without_an_interval_each_case_has_its_sentence(scores, line, pair):
    found = compare(scores)
    assert answer(found).startswith("No order: ") and line in answer(found)
    assert describe_comparison(found) == []
    assert pair in describe_difference(found, found.differences[0])


def test_some_pairs_without_an_interval():
    found = compare({"a": {1: 0.9, 2: 0.8, 3: 0.85}, "b": {1: 0.7, 2: 0.8, 3: 0.9}, "c": {7: 0.1, 8: 0.2}})
    assert answer(found) == "No order: {a, b, c}; some have no seed in common"
    assert "No seed connects some pairs, so these have no interval." in describe_comparison(found)


def test_missing_seeds_and_scatter_and_what_is_no_number_are_said():
    wide = by_seed(a=0.9 + SCATTER, b=0.9 + SCATTER[::-1], c=0.9 - SCATTER, d=0.9 + 12 * np.roll(SCATTER, 1))
    wide["a"][1] = math.nan
    said = describe_comparison(compare(wide))
    assert "Not all have the same seeds; the missing ones are allowed for by least squares (Tukey–Kramer)." in said
    assert any(one.startswith("d scatters ") and "times as much as the others" in one for one in said)
    assert any("simulated studies make false claims in 1" in one for one in said)
    assert "1 of the results is no number and left out." in said


@pytest.mark.parametrize(("methods", "words"), [(18, "in 33 % instead"), (19, "in at least 33 % instead")])
def test_the_error_of_unequal_scatter_is_that_of_so_many_methods(methods, words):
    numbers = np.random.default_rng(1)
    scores = {f"m{k:02}": 0.9 + 0.001 * (7 if k == 0 else 1) * numbers.normal(size=10) for k in range(methods)}
    assert any(words in one for one in describe_comparison(compare(by_seed(**scores))))


@pytest.mark.parametrize(
    ("methods", "seeds", "percent"), [(2, 3, 25), (2, 5, 6), (3, 2, 83), (5, 3, 87), (5, 5, 40), (6, 3, 94)]
)
def test_a_lead_in_every_seed_by_chance(methods, seeds, percent):
    """Against every possible set of orders: one order of the methods for each seed, all equally likely."""
    pairs = list(itertools.combinations(range(methods), 2))
    # The first seed's order may be fixed, since names are arbitrary. A bit for each pair that stands in it still.
    sets = [sum((o[a] < o[b]) << k for k, (a, b) in enumerate(pairs)) for o in itertools.permutations(range(methods))]
    found, counts = np.unique(sets, return_counts=True)
    left = np.zeros(2 ** len(pairs))
    left[-1] = 1
    for _ in range(seeds - 1):
        there = np.flatnonzero(left)
        weights = np.outer(left[there], counts / len(sets)).ravel()
        left = np.bincount((there[:, None] & found).ravel(), weights, minlength=len(left))
    assert chance_lead(methods, seeds) == pytest.approx(1 - left[0], abs=1e-9)
    assert round(100 * chance_lead(methods, seeds)) == percent


def test_a_lead_of_many_methods_is_simulated(monkeypatch):
    exact = chance_lead(5, 5)
    monkeypatch.setattr(conclusions, "EXACT", 4)
    assert chance_lead.__wrapped__(5, 5) == pytest.approx(exact, abs=0.002)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 10_000), st.booleans())
def test_no_sentence_is_long_and_every_claim_has_its_interval(methods, seeds, seed, gaps):
    numbers = np.random.default_rng(seed)
    scores = {
        f"optimizer{m}": {
            s: float(np.round(0.9 + 0.01 * m * (m % 3) + numbers.normal(0, 0.003), 3))
            for s in range(seeds)
            if not gaps or numbers.random() < 0.8
        }
        for m in range(methods)
    }
    diverged = {m: int(numbers.random() < 0.2) for m in scores}
    found = compare(scores, diverged)
    said = [*describe_comparison(found, 0.002), *(describe_difference(found, d, 0.002) for d in found.differences)]
    for sentence in (part for one in said for part in one.split(". ")):
        words = [word for word in sentence.split() if any(map(str.isalnum, word))]
        assert len(words) <= 25, sentence
    assert "nan" not in " ".join(said) + answer(found)
    for better, worse in found.order.better:
        d = found.between(better, worse)
        assert (d.low > 0) if d.a == better else (d.high < 0)
        assert better not in {m for m, lost in diverged.items() if lost}
