"""`arms.json` in the folder of all runs: the names that sweeps of arms gave to runs, and which arms they compared.

A name is no part of a run's identity, so one run may be in arms of several sweeps. It is shown by the name that the
last sweep with it gave it, and by none if that sweep had no arms.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeper.runs.layout import ARMS_FILE
from sweeper.system.files import read_file, write_atomically
from sweeper.system.limits import SWEEP_BYTES
from sweeper.system.text import shortened

EQUAL = " = "  # between the names of arms that have the same run; a name has no such sign
# A run's arm, and the number of the comparison that it belongs to: of a folder the last one is the highest.
Named = tuple[int, str]


def record_arms(outputs: Path, comparisons: Iterable[Mapping[str, Sequence[Path]]], runs: Iterable[Path]) -> None:
    """Record the arms of a sweep. Its runs lose the names that earlier sweeps gave them.

    Args:
        comparisons: the directories of the runs by arm, for each set of arms that are compared; none without arms.
        runs: the directories of all runs of the sweep.
    """
    own = {_relative(directory, outputs) for directory in runs}
    before = _read(outputs)
    after = [{arm: [run for run in found if run not in own] for arm, found in arms.items()} for arms in before]
    for arms in comparisons:
        names: dict[str, list[str]] = {}  # by run
        for arm, directories in arms.items():
            for directory in directories:
                names.setdefault(_relative(directory, outputs), []).append(arm)
        new: dict[str, list[str]] = {}
        for run, of in names.items():
            new.setdefault(EQUAL.join(of), []).append(run)
        after.append(new)
    after = [arms for found in after if (arms := {arm: of for arm, of in found.items() if of})]
    if after != before:
        with contextlib.suppress(OSError):  # the sweep doesn't depend on it
            write_atomically(outputs / ARMS_FILE, (json.dumps({"comparisons": after}, indent=1) + "\n").encode())


def read_arms(outputs: Path) -> dict[str, Named]:
    """The arm of each named run, by its directory relative to `outputs`; none if the file can't be read."""
    return {
        run: (number, shortened(arm))
        for number, arms in enumerate(_read(outputs))
        for arm, runs in arms.items()
        for run in runs
    }


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


def _read(outputs: Path) -> list[dict[str, list[str]]]:
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
