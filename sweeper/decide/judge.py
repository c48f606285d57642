"""Judges pairs of arms look by look. Pure functions of scores, so that a simulation can try the rule itself."""

import itertools
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from scipy.special import stdtrit

from sweeper.aggregate.comparisons import Comparison, Difference, compare
from sweeper.aggregate.scatter import Scatter
from sweeper.decide.rule import Rule

DIFFERENT, EQUIVALENT, OPEN = "different", "equivalent", "open"


@dataclass(frozen=True)
class Result:
    """How a run ended: its score, or NaN if it diverged or failed."""

    score: float
    diverged: bool = False

    @property
    def failed(self) -> bool:
        return math.isnan(self.score) and not self.diverged


@dataclass(frozen=True)
class Verdict:
    """What a look says of a pair. `a` is the higher one; the interval is simultaneous over all looks and pairs."""

    a: str
    b: str
    n: int
    difference: float
    low: float
    high: float
    verdict: str

    def as_json(self) -> dict[str, Any]:
        """Numbers that don't exist are null."""
        numbers = {"difference": self.difference, "low": self.low, "high": self.high}
        shown = {name: None if math.isnan(value) else round(value, 12) for name, value in numbers.items()}
        return {"a": self.a, "b": self.b, "n": self.n, **shown, "verdict": self.verdict}


@dataclass(frozen=True)
class Look:
    """One look at the first `seeds` seeds of the arms that were still in play.

    Attributes:
        scatter: the arm that scatters plainly more than the others, if one does: the level supposes that none does.
    """

    seeds: int
    spent: float
    arms: tuple[str, ...]
    verdicts: tuple[Verdict, ...]  # of the pairs that were open before it
    diverged: Mapping[str, int] = field(default_factory=dict)
    scatter: Scatter | None = None

    def as_json(self) -> dict[str, Any]:
        verdicts = [verdict.as_json() for verdict in self.verdicts]
        return {
            "seeds": self.seeds,
            "spent": round(self.spent, 12),
            "arms": list(self.arms),
            "diverged": dict(self.diverged),
            "pairs": verdicts,
        }


@dataclass
class Decision:
    """All looks so far. `waits` names the arms that need the seeds of the next look; empty at the end."""

    looks: list[Look]
    open: set[frozenset[str]]
    waits: tuple[str, ...]
    next_seeds: int

    @property
    def playing(self) -> frozenset[str]:
        """The arms of the pairs that aren't decided."""
        return frozenset().union(*self.open)

    def seeds_of(self, arm: str) -> int:
        """How many of the first seeds of an arm, or of a field's optimizer, were looked at or will be next."""
        if self.waits and arm in self.playing:
            return self.next_seeds
        return max((look.seeds for look in self.looks if arm in look.arms), default=0)

    def verdicts(self) -> list[Verdict]:
        """The last one of each pair, in the order in which they were decided; open ones last."""
        last = {frozenset((v.a, v.b)): v for look in self.looks for v in look.verdicts}
        return sorted(last.values(), key=lambda v: v.verdict == OPEN)


def judge(
    arms: tuple[str, ...],
    results: Mapping[str, Mapping[int, Result]],
    rule: Rule,
    pairs: Set[frozenset[str]] | None = None,
    order: Sequence[int] | None = None,
) -> Decision:
    """Go through the looks of which every arm in play has all seeds.

    At a look the arms in play, whose seeds are all the same ones, are compared by the model of the tables at the look's
    own level: all pairs by Tukey's intervals; where some pairs alone are asked for, these by Student's t with
    Bonferroni's correction for their number. A pair is different when its interval excludes 0, equivalent when it lies
    within the margin. An arm whose pairs are all decided leaves: it gets no more seeds, and is in no later look. One
    that left as equivalent to another still counts in the width of Tukey's intervals: of equal arms the middle ones
    leave so, and the extreme ones, which stay, are the furthest apart of all.

    Args:
        results: by arm and seed.
        pairs: those that are to be decided; None: all.
        order: the seeds in the order of the looks; None: 1, 2, 3, ….
    """
    undecided = {frozenset(pair) for pair in itertools.combinations(arms, 2)} if pairs is None else set(pairs)
    looks: list[Look] = []
    equal: set[str] = set()  # the arms of equivalent pairs
    for k, seeds in enumerate(rule.looks):
        playing = tuple(arm for arm in arms if any(arm in pair for pair in undecided))
        if not playing:
            break
        first = range(1, seeds + 1) if order is None else order[:seeds]
        if waits := tuple(arm for arm in playing if any(seed not in results.get(arm, {}) for seed in first)):
            return Decision(looks, undecided, waits, seeds)
        seen = {arm: {seed: results[arm][seed] for seed in first} for arm in playing}
        lost = {arm: sum(result.diverged for result in by_seed.values()) for arm, by_seed in seen.items()}
        scores = {arm: {seed: r.score for seed, r in by_seed.items()} for arm, by_seed in seen.items()}
        there = {arm for arm in playing if any(map(math.isfinite, scores[arm].values()))}
        comparison = compare(scores, lost, 1 - rule.spent(k), among=len(there | equal - {*playing}))
        verdicts = []
        for a, b in itertools.combinations(playing, 2):
            if frozenset((a, b)) in undecided:
                verdicts.append(_verdict(comparison, a, b, rule, rule.spent(k) / len(pairs) if pairs else None))
        equal |= {arm for v in verdicts if v.verdict == EQUIVALENT for arm in (v.a, v.b)}
        undecided -= {frozenset((v.a, v.b)) for v in verdicts if v.verdict != OPEN}
        diverged = {arm: count for arm, count in lost.items() if count}
        looks.append(Look(seeds, rule.spent(k), playing, tuple(verdicts), diverged, comparison.scatter))
    return Decision(looks, undecided, (), rule.looks[-1])


def _verdict(comparison: Comparison, a: str, b: str, rule: Rule, share: float | None) -> Verdict:
    """`share`: the level of this pair alone; None: its interval holds together with those of all other pairs."""
    if not {a, b} <= set(comparison.methods):  # one has no completed run
        return Verdict(a, b, 0, math.nan, math.nan, math.nan, OPEN)
    d = comparison.between(a, b)
    if share is not None:
        half = float(stdtrit(comparison.df, 1 - share / 2)) * d.error
        d = replace(d, low=d.difference - half, high=d.difference + half)
    return Verdict(d.a, d.b, d.n, d.difference, d.low, d.high, _called(comparison, d, rule))


def _called(comparison: Comparison, d: Difference, rule: Rule) -> str:
    lost = {d.a, d.b} & comparison.diverged.keys()
    if d.excludes_zero and d.a not in lost:
        return DIFFERENT
    if not lost and rule.margin is not None and d.has_interval and d.within(rule.margin):
        return EQUIVALENT
    return OPEN
