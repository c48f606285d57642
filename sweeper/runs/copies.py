"""Which of several runs of one configuration, seed and data counts, and what the others are: copies, or repeats.

A run that was trained again may have another result, as with another number of threads. No more than one counts, and
which one must depend neither on the results, nor on the order in which folders are named.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sweeper.runs.identity import NAMED_AS_A_RUN
from sweeper.runs.metrics import FROM_RESULT
from sweeper.runs.rows import ARM, Run
from sweeper.runs.status import Status
from sweeper.system.text import counted

# What two trainings to the same weights may differ in. The target is no part of the identity.
_MEASURED = ("train_seconds", "images_per_second", "peak_memory_bytes", "shared_device", "steps_to_target")
_RESULT = tuple(name for name in FROM_RESULT if name not in _MEASURED)
_FURTHEST_FIRST = (Status.RUNNING, Status.PRUNED, Status.INTERRUPTED, Status.FAILED)


@dataclass(frozen=True)
class LeftOut:
    """A run without a row of its own, and the one that counts in its place."""

    run: Run
    counts: Run

    @property
    def is_repeat(self) -> bool:
        """Whether it ended with another result or status than the one that counts."""
        return self.run.status.finished and self.counts.status.finished and not self._is_copy()

    @property
    def is_unfinished(self) -> bool:
        """Whether it gave way since it hasn't ended, or can't be read."""
        return not self.run.status.finished and not self._is_copy()

    def _is_copy(self) -> bool:
        one, other = self.run, self.counts
        alike = (one.status, one.epochs_done) == (other.status, other.epochs_done)
        return alike and all(one.values.get(name) == other.values.get(name) for name in _RESULT)


def merge(runs: Sequence[Run]) -> tuple[list[Run], list[LeftOut]]:
    """One run per configuration, seed and data, in all comparisons of those that are left out, and these.

    A finished one counts, be it completed or diverged: the one whose record has the earliest start, which of a run that
    went on is that of its last part. Without any it is the one furthest in training. Unreadable runs are the same if
    they have the same name.
    """
    groups: dict[tuple[str, Any], list[Run]] = {}
    for run in runs:
        if run.configuration:
            groups.setdefault((run.configuration, run.values["seed"]), []).append(run)
    kept: list[Run] = []
    left_out: list[LeftOut] = []
    for same in groups.values():
        first = len(kept)
        for run in sorted(same, key=_order) if len(same) > 1 else same:
            data = run.conditions.get("data")
            found = [k for k in kept[first:] if data is None or k.conditions.get("data") in (None, data)]
            if found:
                _compare_as(found[0], run)
                left_out.append(LeftOut(run, found[0]))
            else:
                kept.append(run)
    named = {_run_name(run): run for run in reversed(kept)}
    for run in sorted((run for run in runs if not run.configuration), key=_place):
        if (counts := named.setdefault(_run_name(run), run)) is run:
            kept.append(run)
        else:
            left_out.append(LeftOut(run, counts))
    return kept, left_out


class Numbers(NamedTuple):
    """How many runs of each kind are left out. Copies are those with the same result as the one that counts."""

    copies: int
    unfinished: int
    repeats: int


def count(left_out: Sequence[LeftOut]) -> Numbers:
    unfinished, repeats = sum(one.is_unfinished for one in left_out), sum(one.is_repeat for one in left_out)
    return Numbers(len(left_out) - unfinished - repeats, unfinished, repeats)


def describe_repeats(left_out: Iterable[LeftOut]) -> str:
    """What was trained again with another result, and which counts; "" if nothing was. No full stop."""
    repeats = [one for one in left_out if one.is_repeat]
    if not repeats:
        return ""
    head = f"{counted(len(repeats), 'repeat')} {'has' if len(repeats) == 1 else 'have'} another result"
    said = f"{head}: of each run the one with the earlier start counts, and repeats enter nothing"
    for then, now in ((Status.COMPLETED, Status.DIVERGED), (Status.DIVERGED, Status.COMPLETED)):
        if number := sum((one.counts.status, one.run.status) == (then, now) for one in repeats):
            said += f"; {number} {now} where the first {then}"
    return said


def _compare_as(run: Run, copied: Run) -> None:
    """Let a run be in the comparisons of its copy, too."""
    run.comparisons = copied.comparisons | run.comparisons
    if copied.arm:
        run.values.setdefault(ARM, copied.arm)
    run.unnamed, run.untuned = run.unnamed or copied.unnamed, run.untuned or copied.untuned
    run.tuned |= copied.tuned


def _run_name(run: Run) -> str:
    """The name of a run's directory, by which copies are found; the whole path if it isn't named like a run."""
    name = os.path.basename(os.path.abspath(run.path))
    return name if NAMED_AS_A_RUN.search(name) else run.path


def _place(run: Run) -> str:
    return os.path.abspath(run.path)


def _order(run: Run) -> tuple[Any, ...]:
    """The first of these counts. Of whole copies and damaged ones a whole one does; else the path decides."""
    ended = run.status.finished
    progress = (0, 0) if ended else (-run.epochs_done, _FURTHEST_FIRST.index(run.status))
    return (not ended, *progress, not run.started, run.started, bool(run.other_files), _place(run))
