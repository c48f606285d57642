"""One run to train: its configuration, its directory, and its share of the machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.directory import RunDirectory


@dataclass(frozen=True)
class Assignment:
    """One run to train.

    Attributes:
        config: the run's resolved configuration.
        directory: the run's directory as the user named it, which messages show.
        parallel: the number of runs that use this machine's device at the same time.
        threads: CPU threads of a new run; a resumed run keeps the number it started with.
        overrides: the overrides of the command line, which the record contains.
        bars: in a search, a threshold for each epoch; the run is pruned if its best validation accuracy is below it.
        label: what varies in the sweep, as this run has it; "" if nothing does.
        in_sweep: whether the run belongs to a sweep, which continues if this run fails.
    """

    config: dict[str, Any]
    directory: Path
    parallel: int
    threads: int
    overrides: list[str]
    bars: Sequence[float | None] | None = None
    label: str = ""
    in_sweep: bool = False

    def files(self) -> RunDirectory:
        """The run's files by absolute path, so that a change of the working folder doesn't matter."""
        return RunDirectory(self.directory.absolute(), self.directory)

    def as_typed(self, words: object) -> str:
        """The message with the directory as the user named it, instead of its absolute path."""
        return str(words).replace(str(self.directory.absolute()), str(self.directory))
