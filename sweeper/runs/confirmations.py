"""`confirmations.json` in the folder of all runs: the runs by which `sweeper.choose --confirm` confirms a search.

Seeds alone don't tell: a search of several seeds that was stopped looks like a confirmation.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from sweeper.runs.layout import CONFIRMATIONS_FILE
from sweeper.system.files import make_folder, read_file, write_atomically
from sweeper.system.limits import SWEEP_BYTES


def record_confirmation(outputs: Path, runs: Iterable[Path]) -> None:
    """Add the directories of a confirmation's runs to those of earlier ones.

    Raises:
        OSError: the file can't be written.
    """
    before = read_confirmations(outputs)
    after = before | {Path(os.path.relpath(directory, outputs)).as_posix() for directory in runs}
    if after != before:
        make_folder(outputs)
        write_atomically(outputs / CONFIRMATIONS_FILE, (json.dumps({"runs": sorted(after)}, indent=1) + "\n").encode())


def read_confirmations(outputs: Path) -> frozenset[str]:
    """The runs of all confirmations, by their directories relative to `outputs`; none if the file can't be read."""
    try:
        content = json.loads(read_file(outputs / CONFIRMATIONS_FILE, SWEEP_BYTES))
    except (OSError, ValueError, RecursionError):
        return frozenset()
    found = content.get("runs") if isinstance(content, dict) else None
    return frozenset(run for run in found if isinstance(run, str)) if isinstance(found, list) else frozenset()


class ConfirmationsByFolder:
    """Finds whether runs in any folders are a confirmation's, and reads the file of each folder once."""

    def __init__(self) -> None:
        self._read: dict[str, frozenset[str]] = {}

    def have(self, directory: str | Path) -> bool:
        """Whether the run in `directory`, two levels below the folder of all runs, is a confirmation's."""
        below, run = os.path.split(os.path.abspath(directory))
        outputs, group = os.path.split(below)
        if outputs not in self._read:
            self._read[outputs] = read_confirmations(Path(outputs))
        return f"{group}/{run}" in self._read[outputs]
