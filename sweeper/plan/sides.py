"""Times each kind of run alone, and as many at a time as a launcher would train, within a bounded time.

A few steps are enough to say that a sweep takes weeks: of kinds with long epochs one for each model is timed several at
a time, and where the time is over the others are estimated by it.
"""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sweeper.plan.probe import Bound, Probed, pass_over, probe
from sweeper.plan.timing import Timing
from sweeper.system.terminal import tell
from sweeper.system.text import counted, duration

IMPLAUSIBLE = 1.5  # an epoch alone isn't slower by this factor than one of several at a time, with fewer threads each
LONG = 10.0  # an epoch that takes so many times the time to be spent on it
MOST, LEAST = 2.5, 20.0  # the time in which all kinds are timed: so many times what was asked for, and seconds


class Side(NamedTuple):
    """How many runs are timed at a time, and with how many threads each."""

    at_a_time: int
    threads: int


@dataclass
class Timed:
    """What was found.

    Attributes:
        probed: what the processes of each side say beside the timings.
        timings: of each side, by kind of work.
        estimated: of each side the kinds that weren't timed themselves.
        implausible: the kinds that were slower alone than several at a time, if that can't be.
    """

    probed: dict[Side, Probed] = field(default_factory=dict)
    timings: dict[Side, dict[str, Timing]] = field(default_factory=dict)
    estimated: dict[Side, list[str]] = field(default_factory=dict)
    implausible: list[str] = field(default_factory=list)


def time_kinds(
    kinds: Mapping[str, dict[str, Any]],
    epochs: Mapping[str, int],
    one: Side,
    joint: Side,
    seconds: float,
    pack: int,
    bounded: bool,
) -> Timed:
    """Time each kind alone, and as many at a time as `joint` says.

    Args:
        kinds: a configuration of each kind of work.
        epochs: that are left, of all runs of a kind.
        seconds: the total time for timing, besides set-up and warm-up.
        pack: see `probe`.
        bounded: whether kinds may be estimated by others of their model when the time is over.
    """
    sides = sorted({one, joint})
    each = seconds / len(sides) / len(kinds)
    limit = whole = max(LEAST, MOST * seconds)
    _announce(kinds, sides, seconds, limit if bounded else None)
    models = [_model(config) for config in kinds.values()]
    needed = {models.index(model) for model in models}  # the first of each model
    found, early = Timed(), _Early(kinds, epochs, several=len(kinds) > 1 or joint.at_a_time > 1)
    long = False
    for side in sides:
        bound = Bound(needed, 0.0 if long else limit) if bounded else None
        configs, hear = list(kinds.values()), early.hear if side == one else pass_over
        probed = probe(configs, side.at_a_time, side.threads, each, pack if side == one else 0, bound, hear)
        limit = max(0.0, limit - probed.seconds)
        found.probed[side] = probed
        by_kind = dict(zip(kinds, probed.timings, strict=True))
        alone = found.timings.get(one, {})
        found.estimated[side] = [kind for kind, timing in by_kind.items() if timing is None]
        found.timings[side] = {
            kind: timing or _estimate(kind, by_kind, kinds, alone) for kind, timing in by_kind.items()
        }
        long = bounded and any(timing.epoch_seconds > LONG * each for timing in found.timings[side].values())
    _time_again(found, kinds, one, joint, each, again=not long and limit > whole / 2)
    return found


def _announce(kinds: Mapping[str, Any], sides: Collection[Side], seconds: float, limit: float | None) -> None:
    several = max(side.at_a_time for side in sides)
    ways = " and ".join("alone" if side.at_a_time == 1 else f"{several} at a time" for side in sides)
    if several == 1 < len(sides):
        ways = "alone with " + " and ".join(counted(side.threads, "thread") for side in sides)
    what = f"{len(kinds)} kinds of runs" if len(kinds) > 1 else "a run"
    most = "and set-up" if limit is None else f"with set-up about {duration(limit)} at most"
    tell(f"timing {what}, {ways}: {duration(seconds)} of training, {most}")


class _Early:
    """Says how long the sweep takes as soon as its first kind is timed, if all kinds are of one model and data set."""

    def __init__(self, kinds: Mapping[str, dict[str, Any]], epochs: Mapping[str, int], several: bool) -> None:
        same = len({(config["dataset"]["name"], _model(config)) for config in kinds.values()}) == 1
        self._epochs = sum(epochs.values()) if same and several else 0

    def hear(self, place: int, timing: Timing) -> None:
        if place == 0 and self._epochs:
            total = duration(self._epochs * timing.epoch_seconds)
            tell(f"about {total} of training one run at a time, if epochs are as long as this one's; timing the others")


def _model(config: dict[str, Any]) -> str:
    """What the time of a kind depends on most."""
    return repr([config["dataset"], config["model"], config["batch_size"], config["device"]])


def _estimate(
    kind: str, by_kind: Mapping[str, Timing | None], kinds: Mapping[str, dict[str, Any]], alone: Mapping[str, Timing]
) -> Timing:
    """The timing of a kind of the same model, longer by as much as the kind is alone."""
    alike = (k for k, timing in by_kind.items() if timing is not None and _model(kinds[k]) == _model(kinds[kind]))
    like = next(alike)
    timing = by_kind[like]
    assert timing is not None
    if not alone:
        return timing
    ratio = alone[kind].epoch_seconds / alone[like].epoch_seconds
    scaled = {name: ratio * getattr(timing, name) for name in ("train_seconds", "other_seconds")}
    return dataclasses.replace(timing, **scaled, memory_bytes=alone[kind].memory_bytes)


def _time_again(
    found: Timed, kinds: Mapping[str, dict[str, Any]], one: Side, joint: Side, seconds: float, again: bool
) -> None:
    """Time implausible pairs again, and keep the faster of each two timings, which other programs disturbed less. Note
    the kinds whose pairs are still implausible."""
    timings = found.timings

    def implausible() -> list[str]:
        if joint.at_a_time == 1:  # more threads may well slow a small model
            return []
        pairs = ((kind, timings[one][kind], timings[joint][kind]) for kind in kinds)
        return [
            kind
            for kind, alone, beside in pairs
            if alone.epoch_seconds > (IMPLAUSIBLE if again else 1.0) * beside.epoch_seconds
        ]

    if again and (repeated := implausible()):
        tell(f"an epoch was slower alone than {joint.at_a_time} at a time: timing again")
        for side in sorted({one, joint}):
            later = probe([kinds[key] for key in repeated], side.at_a_time, side.threads, seconds, 0).timings
            for key, timing in zip(repeated, later, strict=True):
                assert timing is not None
                timings[side][key] = min(timings[side][key], timing, key=lambda timed: timed.epoch_seconds)
    found.implausible = implausible()
