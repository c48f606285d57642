"""Refuses finished runs as the answer where `dataset.root` now names other images than theirs.

The root isn't part of a run's identity, since the same images may lie elsewhere on another machine.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sweeper.runs.identity import identity_config, with_relative_paths
from sweeper.system.errors import BadInput


class Finished(NamedTuple):
    """A run that is answered from disk: its directory, the configuration that was asked for, and its record."""

    directory: Path
    asked: dict[str, Any]
    record: Mapping[str, Any]


def check_images(runs: Iterable[Finished]) -> None:
    """Raises BadInput if a root that isn't its run's has other images; those that can't be read are passed over."""
    here = None
    for run in runs:
        known = run.record["environment"].get("data_digest")
        if not isinstance(known, str) or not _is_elsewhere(run):
            continue
        if here is None:
            from sweeper.datasets.here import ImagesHere  # an unchanged root needs no process

            here = ImagesHere()
        if (found := here.hash(run.asked)) not in ("", known[:8]):
            root = run.asked["dataset"].get("root")
            raise BadInput(
                f"dataset.root={'null' if root is None else root}: other images (hash {found}) than "
                f"{run.directory} was trained on (hash {known[:8]}); outputs=NAME keeps their runs apart, rerun=true "
                "trains these anew"
            )


def _is_elsewhere(run: Finished) -> bool:
    """Whether the same data set was read from another place than it would be now."""
    asked, then = with_relative_paths(run.asked, run.directory)["dataset"], run.record["config"].get("dataset")
    same = isinstance(then, dict) and identity_config({"dataset": then}) == identity_config({"dataset": asked})
    return same and then.get("root") != asked.get("root")
