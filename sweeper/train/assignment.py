"""What a process is given to train: one run, and how it goes beside others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.runs.directory import RunDirectory


@dataclass(frozen=True)
class Assignment:
    """One run to carry out.

    Attributes:
        config: its resolved configuration.
        directory: as the user named it; messages name it so.
        parallel: runs that share this machine's device at a time.
        threads: of a run that begins; one that goes on keeps those it began with.
        overrides: the command line's, for the record.
        bars: of a search's run, for each epoch the best validation accuracy below which it is pruned.
        in_sweep: the run is one of a sweep's, which goes on without it.
    """

    config: dict[str, Any]
    directory: Path
    parallel: int
    threads: int
    overrides: list[str]
    bars: Sequence[float | None] | None = None
    in_sweep: bool = False

    def files(self) -> RunDirectory:
        """The run's files, wherever the run's own code changes the working folder to."""
        return RunDirectory(self.directory.absolute())

    def as_typed(self, words: object) -> str:
        """A message with the directory as the user named it."""
        return str(words).replace(str(self.directory.absolute()), str(self.directory))
