"""A decision in words. Numbers are percentage points."""

import math
from collections.abc import Mapping, Sequence

from sweeper.aggregate.labels import quoted
from sweeper.aggregate.points import margin_words, points, size
from sweeper.decide.judge import DIFFERENT, EQUIVALENT, Decision, Look, Result, Verdict
from sweeper.decide.rule import Rule

OPEN_PAIR = "open: "


def describe_look(look: Look, rule: Rule) -> list[str]:
    """What a look says: a line for each pair that was open before it, and who scatters plainly more."""
    unlike = [f"  {look.scatter.words}."] if look.scatter else []
    return [f"after {look.seeds} seeds:", *(f"  {describe(v, rule, look.diverged)}" for v in look.verdicts), *unlike]


def describe(v: Verdict, rule: Rule, diverged: Mapping[str, int] | None = None) -> str:
    """A pair's verdict.

    Args:
        diverged: the number of diverged runs of each arm that has any.
    """
    lost = [f"{quoted(arm)} diverged in {diverged[arm]}" for arm in (v.a, v.b) if diverged and arm in diverged]
    said = _said(v, rule)
    if not lost:
        return said
    among = "" if math.isnan(v.difference) else "among finished runs "
    return f"{OPEN_PAIR * said.startswith(OPEN_PAIR)}{', '.join(lost)}; {among}{said.removeprefix(OPEN_PAIR)}"


def _said(v: Verdict, rule: Rule) -> str:
    a, b = quoted(v.a), quoted(v.b)
    if math.isnan(v.difference):
        return f"{a} and {b}: no seed of which both have a completed run."
    if v.verdict == DIFFERENT:
        return f"{a} is higher than {b} by {interval(v)}."
    if v.verdict == EQUIVALENT:
        assert rule.margin is not None
        within = f"equivalent within {margin_words(rule.margin)}"
        return f"{a} and {b} are {within} (n = {v.n}); {a} leads by {interval(v, rule.margin)}."
    if math.isnan(v.low):
        missing = "no scatter to judge it by" if v.n > 1 else "too few seeds in common to judge it by"
        return f"{_lead(v)} (n = {v.n}); {missing}."
    return f"{OPEN_PAIR}{_lead(v)} (interval {points(v.low)} to {points(v.high)})."


def _lead(v: Verdict) -> str:
    if v.difference == 0:
        return f"{quoted(v.a)} and {quoted(v.b)} are level"
    return f"{quoted(v.a)} leads {quoted(v.b)} by {size(v.difference)} points"


def interval(v: Verdict, margin: float | None = None) -> str:
    low, high = points(v.low, margin=margin), points(v.high, margin=margin)
    return f"{size(v.difference, margin)} points (interval {low} to {high})"


def answer(decision: Decision, rule: Rule, ended_by: str = "") -> str:
    """The one sentence of the end.

    Args:
        ended_by: why it ended, unless all pairs are decided or the last look is done.
    """
    verdicts = decision.verdicts()
    decided = [v for v in verdicts if v.verdict in (DIFFERENT, EQUIVALENT)]
    seeds, diverged = (decision.looks[-1].seeds, decision.looks[-1].diverged) if decision.looks else (0, {})
    if len(verdicts) == 1 and decided:
        return f"Decided after {seeds} seeds: {describe(verdicts[0], rule, diverged)}"
    lost = {arm: count for look in decision.looks for arm, count in look.diverged.items()}
    also = "".join(f"; {quoted(arm)} diverged in {count}" for arm, count in lost.items())
    if decided and not decision.open:
        return f"Decided after {seeds} seeds: {', '.join(map(_short, decided))}{also}."
    why = ended_by or f"no look comes after {seeds} seeds"
    if not verdicts:
        return f"Nothing is decided: {why}."
    if len(verdicts) == 1:
        said = describe(verdicts[0], rule, diverged).removeprefix(OPEN_PAIR).removesuffix(".")
        return f"No winner after {seeds} seeds: {said}; {why}."
    said = (
        f"{len(decision.open)} of {len(verdicts)} pairs {'is' if len(decision.open) == 1 else 'are'} undecided: {why}"
    )
    return f"{said}; decided: {', '.join(map(_short, decided))}{also}." if decided else f"{said}{also}."


def describe_scatter(decision: Decision, rule: Rule) -> str:
    """That the level may not hold, by the last look at which an arm scatters plainly more; "" if none does."""
    found = [look for look in decision.looks if look.scatter]
    if not found:
        return ""
    (*_, last) = found
    assert last.scatter is not None
    at = f"At {last.seeds} seeds {last.scatter.words}, which the intervals don't allow for"
    return f"{at}: the error may be above {100 * rule.level:.12g} %."


def describe_failed(decision: Decision, results: Mapping[str, Mapping[int, Result]], seeds: Sequence[int]) -> str:
    """That runs which were looked at have no score, as they failed; "" if none did.

    Args:
        results: of the arms that were trained here.
        seeds: in the order in which they are trained.
    """
    failed = {
        arm: found
        for arm, by_seed in results.items()
        if (found := [s for s in seeds[: decision.seeds_of(arm)] if s in by_seed and by_seed[s].failed])
    }
    return f"Left out, since they failed: {seeds_words(failed)}." if failed else ""


def seeds_words(seeds_of: Mapping[str, Sequence[int]]) -> str:
    """`sgd with seeds 1, 2, lion with seed 1`"""
    return ", ".join(
        f"{quoted(arm)} with {'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"
        for arm, seeds in seeds_of.items()
    )


def _short(v: Verdict) -> str:
    return f"{quoted(v.a)} > {quoted(v.b)}" if v.verdict == DIFFERENT else f"{quoted(v.a)} = {quoted(v.b)}"
