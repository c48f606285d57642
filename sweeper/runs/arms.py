"""`arms.json` in the folder of all runs: which comparisons its runs are in, beyond what their own records say.

A run's identity doesn't say which sweep asked for it, and one run may be asked for by several. No sweep takes a run out
of a comparison in which another put it, so four things are recorded:

- `comparisons`: the arms that sweeps compared, each with its runs. Comparisons that share a run, such as several
  changes with one baseline, are one. A run is shown by the name that the last sweep of arms gave it; a name that is
  given to other runs there leaves those that it had.
- `unnamed`: runs of these that a sweep without arms asked for, too.
- `tuned`: runs that a sweep of tuned settings asked for and that another had trained, by where the settings were tuned.
- `untuned`: runs of tuned settings that a sweep asked for, too, which didn't say that they are.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeper.runs.asked import AskedRuns
from sweeper.runs.layout import ARMS_FILE
from sweeper.system.files import read_file, write_atomically
from sweeper.system.limits import SWEEP_BYTES
from sweeper.system.lock import Lock, Locked
from sweeper.system.text import shortened

UNNAMED_VARIABLE = "SWEEPER_UNNAMED"  # set for a sweep whose arms only list settings: nothing is shown by their names
EQUAL = " = "  # between the names of arms that have the same run; a name has no such sign
_TRIES, _PAUSE = 100, 0.1  # seconds, to wait for another sweep that writes the file
Arms = dict[str, list[str]]  # the runs of each arm of a comparison, by their directories relative to the folder


@dataclass
class Member:
    """What the file says of a run.

    Attributes:
        comparison: the number of the comparison of arms that it is in, of a folder the last one is the highest; None
            if it is in none.
        arm: its arm there; "" for a run whose name was given to another since.
        unnamed: a sweep without arms asked for it, too.
        tuned: where its setting was tuned, e.g. `100 epochs`, if a later sweep says so and not its own record.
        untuned: a sweep that didn't say that it is tuned asked for it, too.
    """

    comparison: int | None = None
    arm: str = ""
    unnamed: bool = False
    tuned: str | None = None
    untuned: bool = False


@dataclass
class _Content:
    comparisons: list[Arms] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    tuned: Arms = field(default_factory=dict)
    untuned: list[str] = field(default_factory=list)


def record_arms(outputs: Path, asked: AskedRuns) -> None:
    """Record which comparisons the runs of a sweep are in, so far as their own records don't say it."""
    new = [_by_run(arms, outputs) for arms in asked.comparisons]
    if not new and not asked.tuned and not any(asked.before.values()) and not (outputs / ARMS_FILE).exists():
        return
    with contextlib.suppress(OSError):  # the sweep doesn't depend on it
        for _ in range(_TRIES):
            try:
                with Lock(outputs / f".{ARMS_FILE}.lock"):  # sweeps that begin at once
                    return _record(outputs, new, asked)
            except Locked:
                time.sleep(_PAUSE)
        _record(outputs, new, asked)  # its owner hangs


def _record(outputs: Path, new: list[Arms], asked: AskedRuns) -> None:
    before = _read(outputs)
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
    kept = before.comparisons
    if new:  # what is wholly asked for again is compared as it is now
        kept = [arms for arms in kept if not own.issuperset(run for runs in arms.values() for run in runs)]
    after = _Content(
        [arms for found in (*kept, *new) if (arms := {arm: runs for arm, runs in found.items() if runs})],
        sorted(unnamed),
        {words: sorted(runs) for words, runs in sorted(tuned.items())},
        sorted(untuned),
    )
    if after != before:
        content = {name: value for name, value in vars(after).items() if value or name == "comparisons"}
        write_atomically(outputs / ARMS_FILE, (json.dumps(content, indent=1) + "\n").encode())


def read_arms(outputs: Path) -> dict[str, Member]:
    """What the file says of each run in it, by its directory relative to `outputs`; nothing if it can't be read."""
    content = _read(outputs)
    whole = _joined(content.comparisons)
    found: dict[str, Member] = {}
    owned: dict[tuple[int, str], set[str]] = {}  # the runs of a name in a joined comparison
    for number, arms in reversed([*zip(whole, content.comparisons, strict=True)]):
        for arm, runs in arms.items():
            own = owned.setdefault((number, arm), set(runs))
            name = shortened(arm) if own.intersection(runs) else ""
            own.update(runs if name else ())
            for run in runs:
                if run not in found or not found[run].arm:
                    found[run] = Member(number, name)
    for run in content.unnamed:
        found.setdefault(run, Member()).unnamed = True
    for words, runs in content.tuned.items():
        for run in runs:
            found.setdefault(run, Member()).tuned = shortened(words)
    for run in content.untuned:
        found.setdefault(run, Member()).untuned = True
    return found


class ArmsByFolder:
    """Finds what `arms.json` says of runs in any folders, and reads the file of each folder once."""

    def __init__(self) -> None:
        self._read: dict[str, dict[str, Member]] = {}

    def of(self, directory: str | Path) -> Member | None:
        """That of the run in `directory`, which lies two levels below the folder of all runs."""
        below, run = os.path.split(os.path.abspath(directory))
        outputs, group = os.path.split(below)
        if outputs not in self._read:
            self._read[outputs] = read_arms(Path(outputs))
        return self._read[outputs].get(f"{group}/{run}")


def _by_run(arms: Mapping[str, Iterable[Path]], outputs: Path) -> Arms:
    """The arms, with one for those that have a run in common."""
    names: dict[str, list[str]] = {}
    for arm, directories in arms.items():
        for directory in directories:
            names.setdefault(_relative(directory, outputs), []).append(arm)
    found: Arms = {}
    for run, of in names.items():
        found.setdefault(EQUAL.join(of), []).append(run)
    return found


def _joined(comparisons: Sequence[Arms]) -> list[int]:
    """For each comparison the number of the last one that it is joined with by runs in common."""
    whole = [*range(len(comparisons))]
    last: dict[str, int] = {}  # the comparison in which a run was seen last
    for number, arms in enumerate(comparisons):
        joined = {whole[last[run]] for runs in arms.values() for run in runs if run in last}
        whole = [number if k in joined else k for k in whole]
        last |= {run: number for runs in arms.values() for run in runs}
    return whole


def _read(outputs: Path) -> _Content:
    try:
        content = json.loads(read_file(outputs / ARMS_FILE, SWEEP_BYTES))
    except (OSError, ValueError, RecursionError):
        return _Content()
    if not isinstance(content, dict):
        return _Content()
    comparisons, tuned = content.get("comparisons"), content.get("tuned", {})
    more = {name: content.get(name, []) for name in ("unnamed", "untuned")}
    if not isinstance(comparisons, list) or not all(map(_are_lists, (*comparisons, tuned, more))):
        return _Content()
    return _Content(comparisons, more["unnamed"], tuned, more["untuned"])


def _are_lists(value: Any) -> bool:
    """Whether a value is lists of texts by name."""
    lists = value.values() if isinstance(value, dict) else [None]
    return all(isinstance(runs, list) and all(isinstance(run, str) for run in runs) for runs in lists)


def _relative(directory: Path, outputs: Path) -> str:
    return Path(os.path.relpath(directory, outputs)).as_posix()
