"""`confirmations.json` in the folder of all runs: the runs by which `sweeper.choose --confirm` confirms a search.

Seeds alone don't tell: a search of several seeds that was stopped looks like a confirmation.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from sweeper.runs.layout import CONFIRMATIONS_FILE
from sweeper.runs.shared_record import damaged, one_writer, read_shared, write_shared

_SAYS = "which runs confirm a search, and so which settings it chooses"


def record_confirmation(outputs: Path, runs: Iterable[Path]) -> None:
    """Add the directories of a confirmation's runs to those of earlier ones.

    Raises:
        BadInput: the file is damaged.
        OSError: it can't be written.
    """
    path = outputs / CONFIRMATIONS_FILE
    new = {Path(os.path.relpath(directory, outputs)).as_posix() for directory in runs}
    if not new <= read_confirmations(outputs):
        with one_writer(path):
            write_shared(path, {"runs": sorted(new | read_confirmations(outputs))})


def read_confirmations(outputs: Path) -> frozenset[str]:
    """The runs of all confirmations, by their directories relative to `outputs`; none if there is no file.

    Raises:
        BadInput: the file is damaged.
    """
    path = outputs / CONFIRMATIONS_FILE
    if (content := read_shared(path, _SAYS)) is None:
        return frozenset()
    found = content.get("runs")
    if not isinstance(found, list) or not all(isinstance(run, str) for run in found):
        raise damaged(path, _SAYS)
    return frozenset(found)


class ConfirmationsByFolder:
    """Finds whether runs in any folders are a confirmation's, and reads the file of each folder once."""

    def __init__(self) -> None:
        self._read: dict[str, frozenset[str]] = {}

    def have(self, directory: str | Path) -> bool:
        """Whether the run in `directory`, two levels below the folder of all runs, is a confirmation's.

        Raises:
            BadInput: the folder's file is damaged.
        """
        below, run = os.path.split(os.path.abspath(directory))
        outputs, group = os.path.split(below)
        if outputs not in self._read:
            self._read[outputs] = read_confirmations(Path(outputs))
        return f"{group}/{run}" in self._read[outputs]
