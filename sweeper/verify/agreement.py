"""Judges a run that was trained again: equal to the bit where that is promised, else as near as two seeds are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.aggregate.statistics import distance_by_chance
from sweeper.engine.numerics import facts_of
from sweeper.runs.metrics import Row
from sweeper.runs.record import EARLIER
from sweeper.runs.status import Status
from sweeper.system.text import percent

AGREES, DIFFERS, OPEN = "agrees", "doesn't agree", "not judged"
ERROR = 0.05  # the chance that an honest folder has a run that doesn't agree, over all of the sample
_TIMES = ("train_seconds", "images_per_second")


@dataclass(frozen=True)
class Answer:
    """What a repeat says of a run; accuracies and the bound are in [0, 1], None where there is none."""

    verdict: str
    why: str
    recorded: float | None = None
    again: float | None = None
    bound: float | None = None


@dataclass(frozen=True)
class Trained:
    """A run as recorded, or as trained again."""

    record: dict[str, Any]
    rows: Sequence[Row]

    @property
    def status(self) -> Status:
        return Status(self.record["status"])

    @property
    def accuracy(self) -> float | None:
        accuracy: float | None = (self.record["result"] or {}).get("final_test_accuracy")
        return accuracy


def judge(first: Trained, again: Trained, seeds: Iterable[Sequence[float]], sample: int) -> Answer:
    """Compare a run with its repeat.

    Args:
        seeds: the final accuracies of the other seeds of its task, by setting; the judged run's is in none, so that a
            false one doesn't widen the band.
        sample: how many runs are judged together; by Bonferroni each has `ERROR` / `sample`.
    """
    if not again.status.finished:
        return Answer(OPEN, f"here it is {again.status}: {again.record.get('error') or 'no reason recorded'}")
    if Status.DIVERGED in (first.status, again.status):
        same = first.status is again.status
        return Answer(AGREES if same else DIFFERS, f"recorded as {first.status}, here {again.status}")
    recorded, here = first.accuracy, again.accuracy
    assert recorded is not None and here is not None  # both are completed
    told = f"{percent(recorded)} recorded, {percent(here)} here"
    if _curve(first) == _curve(again):
        return Answer(AGREES, f"{told}, equal to the bit", recorded, here, 0.0)
    if same_bits(first.record, again.record):
        why = f"{told}; device, versions and commit are the same, so it must be equal to the bit"
        return Answer(DIFFERS, why, recorded, here, 0.0)
    level = 1 - ERROR / sample
    bound = distance_by_chance(seeds, level)
    if bound is None:
        return Answer(OPEN, f"{told}; no other setting or seed of its task shows how far seeds scatter", recorded, here)
    why = f"{told}; two seeds lie within {100 * bound:.2f} points in {100 * level:.3g} % of cases"
    near = abs(recorded - here) <= bound
    return Answer(AGREES if near else DIFFERS, why + _circumstances(first, again), recorded, here, bound)


def same_bits(first: dict[str, Any], again: dict[str, Any]) -> bool:
    """Whether two records tell so much alike that their runs must be equal to the bit."""
    environments = first["environment"], again["environment"]
    facts = [facts_of(environment) for environment in environments]
    code = [(e.get("commit"), (e.get("versions") or {}).get("sweeper")) for e in environments]
    return (
        facts[0] == facts[1]
        and code[0] == code[1]
        and not str(code[0][0]).endswith("-dirty")
        and not any(EARLIER in environment for environment in environments)
        and (facts[0].get("device") == "cpu" or facts[0].get("deterministic") is True)
    )


def _curve(one: Trained) -> list[dict[str, str]]:
    """All figures but the times; as texts, in which NaN is NaN."""
    return [{name: str(value) for name, value in row.items() if name not in _TIMES} for row in one.rows]


def _circumstances(first: Trained, again: Trained) -> str:
    names = ("device_name", "precision")
    then, now = (", ".join(str(one.record["environment"].get(name)) for name in names) for one in (first, again))
    return "" if then == now else f" ({then}; here {now})"
