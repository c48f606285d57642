"""What a comparison shows, in words: one line first, then why, then what it doesn't show. Scores are shares in [0, 1].

Every claim is read off an interval. No sentence has more than 25 words.
"""

import itertools
import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from sweeper.aggregate.comparisons import Comparison, Difference
from sweeper.aggregate.labels import plural, quoted
from sweeper.aggregate.points import margin_words, points, size
from sweeper.system.text import counted, few

MOST = 1.0  # no accuracy differs by more from another, no loss by more than twice that; an interval isn't bounded
RARE = 0.05  # an order that equal optimizers show less often needs no warning
EXACT = 6  # methods up to which `chance_lead` goes through all orders
DRAWS = 10_000_000  # pairs of simulated methods by which it is estimated for more


def answer(comparison: Comparison, margin: float | None = None) -> str:
    """The order in a line, e.g. `muon > {sgd, adamw} > adam > lion`: each > is an interval that excludes 0.

    What no interval separates stands in braces. Where groups overlap, the single pairs are told. An optimizer that
    diverged wins no pair.
    """
    lost = _lost(comparison)
    within = [] if margin is None else _equivalent(comparison, margin)
    equal = f"; equivalent within {margin_words(margin)}: {few(within, 3, '; ')}" if margin and within else ""
    return "".join([_order(comparison), *lost, equal])


def headline(comparison: Comparison, margin: float | None = None) -> str:
    """`answer`; where no interval separates any two, and none are equivalent, who leads and by how much."""
    said, pairs = answer(comparison, margin), comparison.differences
    if said != answer(comparison) or not pairs or not all(d.has_interval and not d.excludes_zero for d in pairs):
        return said
    d = comparison.between(*comparison.methods[:2])
    if d.difference == 0:
        return said
    leads = "loses less than" if comparison.losses else "leads"
    lead = f"{quoted(d.a)} {leads} {quoted(d.b)} by {size(d.difference)} points ({_interval(d)})"
    return "".join([f"No winner yet: {lead}", *_lost(comparison)])


def describe_difference(comparison: Comparison, d: Difference, margin: float | None = None, named: bool = False) -> str:
    """The conclusion about a pair.

    Args:
        named: name both, for a text; a table names them in columns of its own.
    """
    a, b = quoted(d.a), quoted(d.b)
    if not d.has_interval:
        said = _no_difference(comparison, d)
        return f"{a} and {b}: {said[0].lower()}{said[1:]}" if named else said
    lost = [f"{quoted(m)} diverged in {_of_seeds(comparison, m)}" for m in (d.a, d.b) if m in comparison.diverged]
    if d.excludes_zero:
        better = "loses less" if comparison.losses else "is higher" if named or lost else "higher"
        said = f"{a} {better}{f' than {b}' * named} by {size(d.difference)} points ({_interval(d)})."
    else:
        n = f"n = {d.n}" if d.n else "no seed in common"
        most = _most(comparison)
        said = f"no significant difference ({n}); a gap up to {size(min(d.gap, most), margin)} points remains possible."
        said = f"{a} and {b}: {said}" if named else said
    if lost:
        short = len(lost) == 1 and d.excludes_zero
        return f"{lost[0]}; among finished runs {said}" if short else f"{', '.join(lost)}. Among finished runs {said}"
    if not d.excludes_zero and not named:
        said = said[0].upper() + said[1:]
    return f"{said} Equivalent within {margin_words(margin)}." if margin is not None and d.within(margin) else said


def describe_comparison(comparison: Comparison, margin: float | None = None) -> list[str]:
    """The sentences below the answer: why it holds, then what it doesn't show.

    Args:
        margin: of equivalence, as a share; it must have been fixed before the runs.
    """
    shown = [d for d in comparison.differences if d.has_interval]
    if not shown:
        return []
    several = len(comparison.methods) > 2
    pairs = counted(len(shown), "pair")
    by = f"Simultaneous 95 % intervals by Tukey's method, {pairs}" if several else "Paired t interval"
    said = [f"{by}, {n_words(comparison)}; > means that {'one' if several else 'it'} excludes 0."]
    said += _pairs_of_note(comparison)
    degrees = counted(comparison.df, "degree")
    said.append(f"The residual deviation is {size(comparison.deviation)} points ({degrees} of freedom).")
    found = comparison.detectable
    true = (
        f"A true difference of {size(found)} points"
        if found < _most(comparison)
        else "With such scatter no true difference"
    )
    said.append(f"{true} is found in four studies of five.")
    if margin is not None:
        said += _equivalence(comparison, margin)
    return said + _limits(comparison)


@cache
def chance_lead(methods: int, seeds: int) -> float:
    """How often, among equal methods, some method is above some other in every seed. Exact up to `EXACT` methods, else
    simulated."""
    bound = math.comb(methods, 2) * 2.0 ** (1 - seeds)  # the sum over all pairs; exact for one
    if methods == 2 or bound < RARE:
        return bound
    return _exact_lead(methods, seeds) if methods <= EXACT else _simulated_lead(methods, seeds)


def _exact_lead(methods: int, seeds: int) -> float:
    """Names being arbitrary, the first seed's order is fixed. No pair leads in all seeds if each is reversed in one of
    the others: by inclusion and exclusion over sets of pairs, from how many orders reverse no pair outside a set."""
    pairs = list(itertools.combinations(range(methods), 2))
    orders = np.zeros(2 ** len(pairs))  # by the set of pairs that they reverse, a bit each
    for order in itertools.permutations(range(methods)):
        orders[sum((order[i] > order[j]) << bit for bit, (i, j) in enumerate(pairs))] += 1
    signs = np.ones(1)
    for bit in range(len(pairs)):
        halves = orders.reshape(-1, 2, 2**bit)  # without this pair and with it
        halves[:, 1] += halves[:, 0]
        signs = np.concatenate([-signs, signs])
    return 1 - float(signs @ (orders / math.factorial(methods)) ** (seeds - 1))


def _simulated_lead(methods: int, seeds: int) -> float:
    numbers, draws = np.random.default_rng(0), max(100, DRAWS // (methods * methods))
    above = np.ones((draws, methods, methods), dtype=bool)
    for _ in range(seeds):
        scores = numbers.random((draws, methods))
        above &= scores[:, :, None] > scores[:, None, :]
    return float(above.any(axis=(1, 2)).mean())


def _order(comparison: Comparison) -> str:
    order, names = comparison.order, comparison.methods
    if not any(d.has_interval for d in comparison.differences):
        return f"No order: {_no_interval(comparison)}"
    if not order.better:
        if any(d.excludes_zero for d in comparison.differences):
            return f"No first place: {_braces(names)}"
        if not all(d.has_interval for d in comparison.differences):
            return f"No order: {_braces(names)}; some have no seed in common"
        return f"No significant difference: {_braces(names)} ({n_words(comparison)})"
    inside = [
        f"{_braces([m])} > {_braces(worse)}"
        for block in order.blocks
        for m in block
        if (worse := [w for w in block if order.is_better(m, w)])
    ]
    told = {m for pair in order.better for m in pair}
    if len(order.blocks) == 1:
        rest = "" if told >= set(names) else f"; {_none_besides(comparison)}"
        return f"{', '.join(inside)}{rest}"
    line = " > ".join(_braces([m for m in names if m in block]) for block in order.blocks)
    return f"{line}, where {', '.join(inside)}" if inside else line


def _none_besides(comparison: Comparison) -> str:
    """What is said of the pairs without a winner. An interval of one that diverged may exclude 0 nevertheless."""
    apart = any(d.excludes_zero and d.a in comparison.diverged for d in comparison.differences)
    return "no other pair has a winner" if apart else "no other difference is significant"


def _no_interval(comparison: Comparison) -> str:
    """Why there is no interval at all."""
    if len(comparison.methods) < 2:
        return f"only {quoted(comparison.methods[0])} completed" if comparison.methods else "no completed run"
    if all(d.n == 0 for d in comparison.differences):
        return f"no two {plural(comparison.noun)} have a seed in common"
    if comparison.df == 0 and max(d.n for d in comparison.differences) == 1:
        return "one seed tells nothing of chance; three or more give intervals"
    if comparison.df == 0:
        return "too few seeds in common for an interval"
    if all(d.difference == 0 for d in comparison.differences):
        return f"all {plural(comparison.noun)} have the same result in every seed"
    return "every seed shows the same difference, so there is no scatter to judge it by"


def _no_difference(comparison: Comparison, d: Difference) -> str:
    if math.isnan(d.difference):
        return "No seed connects them, so they can't be compared."
    if comparison.df == 0:
        return "One seed tells nothing of chance." if d.n == 1 else "Too few seeds in common for an interval."
    if d.difference == 0:
        return f"The same result in every seed (n = {d.n}); no interval."
    return f"The same difference in every seed (n = {d.n}); no scatter, so no interval."


def _pairs_of_note(comparison: Comparison) -> list[str]:
    """The two on top, and each optimizer that diverged beside the best that never did."""
    lost = comparison.diverged
    whole = [m for m in comparison.methods if m not in lost]
    pairs = [(whole[0], whole[1])] if len(whole) > 1 else []
    pairs += [(m, whole[0]) for m in comparison.methods if m in lost and whole]
    pairs = pairs or [(comparison.methods[0], comparison.methods[1])]
    return [describe_difference(comparison, comparison.between(a, b), named=True) for a, b in pairs]


def _equivalent(comparison: Comparison, margin: float) -> list[str]:
    """The pairs whose interval lies within the margin. Who diverged is equivalent to none."""
    whole = [d for d in comparison.differences if not {d.a, d.b} & comparison.diverged.keys()]
    return [f"{quoted(d.a)} and {quoted(d.b)}" for d in whole if d.within(margin)]


def _equivalence(comparison: Comparison, margin: float) -> list[str]:
    within = _equivalent(comparison, margin)
    said = [f"The margin of {margin_words(margin)} counts only if it was fixed before the runs."]
    if not within:
        return [*said, f"No pair is shown to be equivalent within {margin_words(margin)}."]
    return [*said, f"Equivalent within {margin_words(margin)}: {few(within, 3, '; ')}."]


def _limits(comparison: Comparison) -> list[str]:
    said = []
    if any(not d.excludes_zero for d in comparison.differences):
        said.append("No significant difference doesn't mean equal.")
    n = min(d.n for d in comparison.differences)
    if not comparison.complete:
        said.append("Not all have the same seeds; the missing ones are allowed for by least squares (Tukey–Kramer).")
    if any(math.isnan(d.difference) for d in comparison.differences):
        said.append("No seed connects some pairs, so these have no interval.")
    chance = chance_lead(len(comparison.methods), n) if n > 1 else 0.0
    if chance >= RARE:
        leads = "one leads" if len(comparison.methods) == 2 else "some pair leads"
        if comparison.losses:
            leads = f"one loses less than {'the other' if len(comparison.methods) == 2 else 'another'}"
        share = "over 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"
        equal = f"With {len(comparison.methods)} equal {plural(comparison.noun)}"
        said.append(f"{equal} {leads} in {'both' if n == 2 else f'all {n}'} seeds in {share} of studies.")
    if (scatter := comparison.scatter) is not None:
        ratio, rate = scatter.simulated
        said.append(f"{scatter.words}, which the pooled deviation doesn't show.")
        share = f"{'at least ' if scatter.beyond else ''}{100 * rate:.0f} %"
        said.append(f"At {ratio} times the scatter, simulated studies make false claims in {share} instead of 5 %.")
    if comparison.ignored:
        none = "is no number" if comparison.ignored == 1 else "are no numbers"
        said.append(f"{comparison.ignored} of the results {none} and left out.")
    return said


def _most(comparison: Comparison) -> float:
    return 2 * MOST if comparison.losses else MOST


def _lost(comparison: Comparison) -> list[str]:
    return [f"; {quoted(m)} diverged in {_of_seeds(comparison, m)}" for m in comparison.diverged]


def _of_seeds(comparison: Comparison, method: str) -> str:
    lost = comparison.diverged[method]
    seeds = comparison.seeds.get(method, 0) + lost
    return "its one seed" if seeds == 1 else f"{lost} of {seeds} seeds"


def n_words(comparison: Comparison) -> str:
    """`n = 3`, `n = 2 to 3`; with as many seeds of each that aren't the same ones, `n = 3, seeds differ`."""
    counts = sorted(set(comparison.seeds.values()))
    if len(counts) > 1:
        return f"n = {counts[0]} to {counts[-1]}"
    return f"n = {counts[0]}" if comparison.complete else f"n = {counts[0]}, seeds differ"


def seeds_note(what: str = "order") -> str:
    """Where seeds are missing: what the means that stand beside it don't tell."""
    return f"Seeds differ: {what} by the model's estimates, not by the means shown."


def _braces(names: Sequence[str]) -> str:
    """The names of a group."""
    told = [*map(quoted, names)]
    return told[0] if len(told) == 1 else f"{{{', '.join(told)}}}"


def _interval(d: Difference) -> str:
    return f"95 % CI {points(d.low, plus='')} to {points(d.high, plus='')}"
