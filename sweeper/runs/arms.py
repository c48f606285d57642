"""`arms.json` in the folder of all runs: the names that sweeps of arms gave to runs, and which arms they compared.

A name is no part of a run's identity, so one run may be in arms of several sweeps. It is shown by the name that the
last sweep with it gave it, and by none if that sweep had no arms. Comparisons that share a run, such as several changes
with one baseline, are one. A name that is given to other runs there leaves those that it had.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeper.runs.layout import ARMS_FILE
from sweeper.system.files import read_file, write_atomically
from sweeper.system.limits import SWEEP_BYTES
from sweeper.system.lock import Lock, Locked
from sweeper.system.text import shortened

UNNAMED_VARIABLE = "SWEEPER_UNNAMED"  # set for a sweep whose arms only list settings: nothing is shown by their names
EQUAL = " = "  # between the names of arms that have the same run; a name has no such sign
_TRIES, _PAUSE = 100, 0.1  # seconds, to wait for another sweep that writes the file
Arms = dict[str, list[str]]  # the runs of each arm of a comparison, by their directories relative to the folder
# The number of the comparison that a run belongs to, of a folder the last one is the highest, and its arm; "" for a run
# whose name was given to another since.
Named = tuple[int, str]


def record_arms(outputs: Path, comparisons: Iterable[Mapping[str, Sequence[Path]]], runs: Iterable[Path]) -> None:
    """Record the arms of a sweep, or without arms that its runs have no names any more.

    Args:
        comparisons: the directories of the runs by arm, for each set of arms that are compared.
        runs: the directories of all runs of the sweep.
    """
    new = [_by_run(arms, outputs) for arms in comparisons]
    own = {_relative(directory, outputs) for directory in runs}
    if not new and not (outputs / ARMS_FILE).exists():
        return
    with contextlib.suppress(OSError):  # the sweep doesn't depend on it
        for _ in range(_TRIES):
            try:
                with Lock(outputs / f".{ARMS_FILE}.lock"):  # sweeps that begin at once
                    return _record(outputs, new, own)
            except Locked:
                time.sleep(_PAUSE)
        _record(outputs, new, own)  # its owner hangs


def _record(outputs: Path, new: list[Arms], own: set[str]) -> None:
    before = _read(outputs)
    if new:
        after = [arms for arms in before if not own.issuperset(run for of in arms.values() for run in of)]
    else:
        after = [{arm: [run for run in runs if run not in own] for arm, runs in arms.items()} for arms in before]
    after = [arms for found in (*after, *new) if (arms := {arm: of for arm, of in found.items() if of})]
    if after != before:
        write_atomically(outputs / ARMS_FILE, (json.dumps({"comparisons": after}, indent=1) + "\n").encode())


def read_arms(outputs: Path) -> dict[str, Named]:
    """The arm of each named run, by its directory relative to `outputs`; none if the file can't be read."""
    comparisons = _read(outputs)
    whole = _joined(comparisons)
    found: dict[str, Named] = {}
    owned: dict[tuple[int, str], set[str]] = {}  # the runs of a name in a joined comparison
    for number, arms in reversed([*zip(whole, comparisons, strict=True)]):
        for arm, runs in arms.items():
            own = owned.setdefault((number, arm), set(runs))
            name = shortened(arm) if own.intersection(runs) else ""
            own.update(runs if name else ())
            for run in runs:
                if run not in found or not found[run][1]:
                    found[run] = number, name
    return found


class ArmsByFolder:
    """Finds the arms of runs in any folders, and reads the file of each folder once."""

    def __init__(self) -> None:
        self._read: dict[str, dict[str, Named]] = {}

    def of(self, directory: str | Path) -> Named | None:
        """The arm of the run in `directory`, which lies two levels below the folder of all runs."""
        below, run = os.path.split(os.path.abspath(directory))
        outputs, group = os.path.split(below)
        if outputs not in self._read:
            self._read[outputs] = read_arms(Path(outputs))
        return self._read[outputs].get(f"{group}/{run}")


def _by_run(arms: Mapping[str, Sequence[Path]], outputs: Path) -> Arms:
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


def _read(outputs: Path) -> list[Arms]:
    try:
        content = json.loads(read_file(outputs / ARMS_FILE, SWEEP_BYTES))
    except (OSError, ValueError, RecursionError):
        return []
    found = content.get("comparisons") if isinstance(content, dict) else None
    return found if isinstance(found, list) and all(map(_is_comparison, found)) else []


def _is_comparison(value: Any) -> bool:
    lists = value.values() if isinstance(value, dict) else [None]
    return all(isinstance(runs, list) and all(isinstance(run, str) for run in runs) for runs in lists)


def _relative(directory: Path, outputs: Path) -> str:
    return Path(os.path.relpath(directory, outputs)).as_posix()
