"""The runs that a sweep asks for, and what it compares them as."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeper.runs.record import Damaged, read_run

EQUAL = " = "  # between the names of arms that have the same run; a name has no such sign


@dataclass(frozen=True)
class AskedRuns:
    """The runs of a sweep, by their directories.

    Attributes:
        runs: all of them.
        comparisons: of a sweep of arms the runs by arm, for each set of arms that are compared.
        tuned: where their settings were tuned, e.g. `100 epochs`, of those that the sweep says it of.
        before: those that had a record before the sweep, with what it says of `tuned`.
    """

    runs: Sequence[Path]
    comparisons: Sequence[Mapping[str, Sequence[Path]]] = ()
    tuned: Mapping[Path, str] = field(default_factory=dict)
    before: Mapping[Path, str | None] = field(default_factory=dict)

    def to_json(self) -> str:
        """For another process, see `OwnRuns`."""
        compared = [{str(run): arm for run, arm in arm_of_each(arms).items()} for arms in self.comparisons]
        return json.dumps({"comparisons": compared, "runs": {str(run): self.tuned.get(run) for run in self.runs}})


def asked_runs(
    configs: Mapping[Path, Mapping[str, Any]], comparisons: Sequence[Mapping[str, Sequence[Path]]]
) -> AskedRuns:
    """The runs with these configurations, before a sweep trains them."""
    before = {}
    for directory in configs:
        with contextlib.suppress(Damaged):
            before[directory] = read_run(directory)["config"].get("tuned")
    tuned = {directory: config["tuned"] for directory, config in configs.items() if config.get("tuned") is not None}
    return AskedRuns([*configs], comparisons, tuned, before)


@dataclass(frozen=True)
class OwnRuns:
    """A sweep's own runs, as what its end shows them.

    Attributes:
        comparisons: of a sweep of arms the arm of each run, for each set of arms that are compared.
        tuned: of each run where the sweep says that its setting was tuned; None if it doesn't.
    """

    comparisons: list[dict[str, str]]
    tuned: dict[str, str | None]

    @classmethod
    def from_json(cls, text: str) -> "OwnRuns":
        """Of an empty text, none."""
        content = json.loads(text or '{"comparisons": [], "runs": {}}')
        return cls(content["comparisons"], content["runs"])


def arm_of_each(arms: Mapping[str, Sequence[Path]]) -> dict[Path, str]:
    """The arm of each run; of a run of several arms all their names."""
    names: dict[Path, list[str]] = {}
    for arm, directories in arms.items():
        for directory in directories:
            names.setdefault(directory, []).append(arm)
    return {directory: EQUAL.join(of) for directory, of in names.items()}
