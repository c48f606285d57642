"""`arms.json` in the folder of all runs: which comparisons its runs are in, beyond what their own records say.

A run's identity doesn't say which sweep asked for it, and one run may be asked for by several. No sweep takes a run out
of a comparison in which another put it, so four things are recorded:

- `comparisons`: the arms that sweeps compared, each with its runs. Comparisons that share a run by the same name, such
  as several changes of one baseline, are one, unless `joined` says otherwise. A run is shown by the name that the last
  sweep of arms gave it; a name that is given to other runs there leaves those that it had.
- `unnamed`: runs of these that a sweep without arms asked for, too.
- `tuned`: runs that a sweep of tuned settings asked for and that another had trained, by where the settings were tuned.
- `untuned`: runs of tuned settings that a sweep asked for, too, which didn't say that they are.
"""

import itertools
import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeper.runs.asked import AskedRuns, arm_of_each
from sweeper.runs.layout import ARMS_FILE
from sweeper.runs.shared_record import damaged, one_writer, read_shared, write_shared
from sweeper.system.command import ROOM
from sweeper.system.terminal import tell
from sweeper.system.text import shortened

UNNAMED_VARIABLE = "SWEEPER_UNNAMED"  # set for a sweep whose arms only list settings: nothing is shown by their names
_SAYS = "which arms were compared"
_told: set[Path] = set()  # files of which this process has said that they can't be written
Arms = dict[str, list[str]]  # the runs of each arm of a comparison, by their directories relative to the folder


@dataclass
class Member:
    """What the file says of a run.

    Attributes:
        arms: its arm in each comparison that it is in, by the comparison's number; the last one's is the highest.
        arm: the name by which it is shown; "" without any, or if it was given to another since.
        unnamed: a sweep without arms asked for it, too.
        tuned: where its setting was tuned, e.g. `100 epochs`, as later sweeps say and not its own record.
        untuned: a sweep that didn't say that it is tuned asked for it, too.
    """

    arms: dict[int, str] = field(default_factory=dict)
    arm: str = ""
    unnamed: bool = False
    tuned: frozenset[str] = frozenset()
    untuned: bool = False


@dataclass
class _Content:
    comparisons: list[Arms] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    tuned: Arms = field(default_factory=dict)
    untuned: list[str] = field(default_factory=list)


def record_arms(outputs: Path, asked: AskedRuns) -> bool:
    """Record which comparisons the runs of a sweep are in, so far as their own records don't say it.

    Returns whether they are recorded. If the file can't be written, a line says so: the runs are trained without it,
    and the same command records it later.

    Raises:
        BadInput: the file is damaged.
    """
    new = [_by_run(arms, outputs) for arms in asked.comparisons]
    if not new and not asked.tuned and not any(asked.before.values()) and not (outputs / ARMS_FILE).exists():
        return True
    path = outputs / ARMS_FILE
    try:
        if _with(before := _read(outputs), outputs, new, asked) == before:
            return True
        with one_writer(path):
            after = _with(_read(outputs), outputs, new, asked)
            write_shared(path, {name: value for name, value in vars(after).items() if value or name == "comparisons"})
    except OSError as error:
        if path not in _told:  # a sweep records them when it begins, and at its end
            what = f"can't be written, so later tables don't know {_SAYS}: {error.strerror or error}"
            tell(f"{path}: {what}; {ROOM}; the same command records it")
        _told.add(path)
        return False
    return True


def _with(before: _Content, outputs: Path, new: list[Arms], asked: AskedRuns) -> _Content:
    """What the file says, with what a sweep adds."""
    named = {run for arms in before.comparisons for runs in arms.values() for run in runs}
    called_tuned = {run for runs in before.tuned.values() for run in runs}
    unnamed, untuned = set(before.unnamed), set(before.untuned)
    tuned = {words: set(runs) for words, runs in before.tuned.items()}
    own = set()
    for directory in asked.runs:
        own.add(run := _relative(directory, outputs))
        words, recorded = asked.tuned.get(directory), asked.before.get(directory)
        there = directory in asked.before
        if (there and run not in named) if new else run in named:
            unnamed.add(run)
        if words is None and not new and (recorded is not None or run in called_tuned):
            untuned.add(run)
        if words is not None and there and recorded != words:
            tuned.setdefault(words, set()).add(run)
    kept = [arms for arms in before.comparisons if not any(_is_asked_again(arms, other) for other in new)]
    return _Content(
        [arms for found in (*kept, *new) if (arms := {arm: runs for arm, runs in found.items() if runs})],
        sorted(unnamed),
        {words: sorted(runs) for words, runs in sorted(tuned.items())},
        sorted(untuned),
    )


def read_arms(outputs: Path) -> dict[str, Member]:
    """What the file says of each run in it, by its directory relative to `outputs`; nothing if there is none.

    Raises:
        BadInput: the file is damaged.
    """
    content = _read(outputs)
    found: dict[str, Member] = {}
    comparisons = [_arm_of(arms) for arms in content.comparisons]
    for number, arm_of in enumerate(comparisons):
        for run, arm in arm_of.items():
            found.setdefault(run, Member()).arms[number] = shortened(arm)
    for group in joined(comparisons):
        for run, arm in last_names([comparisons[number] for number in group]).items():
            found[run].arm = shortened(arm) or found[run].arm
    for run in content.unnamed:
        found.setdefault(run, Member()).unnamed = True
    for words, runs in content.tuned.items():
        for run in runs:
            found.setdefault(run, Member()).tuned |= {shortened(words)}
    for run in content.untuned:
        found.setdefault(run, Member()).untuned = True
    return found


class ArmsByFolder:
    """Finds what `arms.json` says of runs in any folders, and reads the file of each folder once."""

    def __init__(self) -> None:
        self._read: dict[str, dict[str, Member]] = {}

    def of(self, directory: str | Path) -> Member | None:
        """That of the run in `directory`, which lies two levels below the folder of all runs.

        Raises:
            BadInput: the folder's file is damaged.
        """
        below, run = os.path.split(os.path.abspath(directory))
        outputs, group = os.path.split(below)
        if outputs not in self._read:
            self._read[outputs] = read_arms(Path(outputs))
        return self._read[outputs].get(f"{group}/{run}")


def _by_run(arms: Mapping[str, Sequence[Path]], outputs: Path) -> Arms:
    """The arms, with one for those that have a run in common."""
    found: Arms = {}
    for directory, arm in arm_of_each(arms).items():
        found.setdefault(arm, []).append(_relative(directory, outputs))
    return found


def joined(comparisons: Sequence[Mapping[str, str]]) -> list[list[int]]:
    """The numbers of the comparisons, in groups of those that are one.

    A comparison is joined with the earlier ones that have something in common with it by the same name, such as a
    baseline, or that compare all of what it does, or all of whose it does. By other names a common run is only part of
    two questions. If it would put together what one of them compares with each other, or comparisons that only have
    names in common, as a sweep's for each value of an axis, then it is joined with the latter alone; else with none.

    Args:
        comparisons: each as the arm of whatever it compares.
    """
    groups: list[list[int]] = []
    for number, new in enumerate(comparisons):
        same = [group for group in groups if any(_are_of_one(new.keys(), comparisons[k].keys()) for k in group)]
        near = [group for group in groups if group in same or any(new.items() & comparisons[k].items() for k in group)]
        for found in (near, same, []):
            parts = [*found, [number]]
            pairs = (pair for one, other in itertools.combinations(parts, 2) for pair in itertools.product(one, other))
            if all(_fit(comparisons[k], comparisons[m]) for k, m in pairs):
                groups = [*(group for group in groups if group not in found), sorted(itertools.chain(*parts))]
                break
    return sorted(groups, key=max)


def last_names(comparisons: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What comparisons that are one compare, each by its last name; "" where that was given to another since."""
    names: dict[str, str] = {}
    owned: dict[str, set[str]] = {}
    for arm_of in reversed(comparisons):
        for arm in dict.fromkeys(arm_of.values()):
            here = {key for key, of in arm_of.items() if of == arm}
            own = owned.setdefault(arm, set(here))
            name = arm if not own.isdisjoint(here) else ""
            own |= here if name else set()
            names |= {key: names.get(key) or name for key in here}
    return names


def _are_of_one(some: Set[str], others: Set[str]) -> bool:
    return bool(some & others) and (some <= others or others <= some)


def _fit(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether both have the same arms, by whatever names, in what they have in common; no common name without any."""
    pairs = {(one[key], other[key]) for key in one.keys() & other.keys()}
    if not pairs:
        return set(one.values()).isdisjoint(other.values())
    return len(pairs) == len({name for name, _ in pairs}) == len({name for _, name in pairs})


def _is_asked_again(arms: Arms, new: Arms) -> bool:
    """Whether a comparison is wholly in a new one, which then says how its runs are named."""
    before, now = _arm_of(arms), _arm_of(new)
    return before.keys() <= now.keys() and _fit(before, now)


def _arm_of(arms: Arms) -> dict[str, str]:
    return {run: arm for arm, runs in arms.items() for run in runs}


def _read(outputs: Path) -> _Content:
    path = outputs / ARMS_FILE
    if (content := read_shared(path, _SAYS)) is None:
        return _Content()
    comparisons, tuned = content.get("comparisons"), content.get("tuned", {})
    more = {name: content.get(name, []) for name in ("unnamed", "untuned")}
    if not isinstance(comparisons, list) or not all(map(_are_lists, (*comparisons, tuned, more))):
        raise damaged(path, _SAYS)
    return _Content(comparisons, more["unnamed"], tuned, more["untuned"])


def _are_lists(value: Any) -> bool:
    """Whether a value is lists of texts by name."""
    lists = value.values() if isinstance(value, dict) else [None]
    return all(isinstance(runs, list) and all(isinstance(run, str) for run in runs) for runs in lists)


def _relative(directory: Path, outputs: Path) -> str:
    return Path(os.path.relpath(directory, outputs)).as_posix()
