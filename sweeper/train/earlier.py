"""Reads what earlier processes left in a run's directory, and decides whether the run resumes from it."""

import logging
from dataclasses import dataclass
from typing import Any

from sweeper.engine.devices import best_kind
from sweeper.engine.numerics import Kept, begun_with, keep, whole_checkpoint
from sweeper.runs.directory import RunDirectory
from sweeper.runs.identity import run_name
from sweeper.runs.layout import RUN_FILE
from sweeper.runs.own_code import changed_modules, own_code, recorded_code
from sweeper.runs.previous import keep_files
from sweeper.runs.record import Damaged, OfAnotherRun, Refused, read_run
from sweeper.runs.status import Status
from sweeper.train.assignment import Assignment

log = logging.getLogger("sweeper")


@dataclass(frozen=True)
class Earlier:
    """A run's record, or the reason why it can't be used; neither for a new run."""

    record: dict[str, Any] | None = None
    damage: Damaged | None = None

    @property
    def status(self) -> Status | None:
        return self.record["status"] if self.record is not None else None


def read_earlier(assignment: Assignment) -> Earlier:
    """Read the record. The caller holds the run's lock.

    Raises:
        Refused: the record may be intact but can't be used, and `rerun=true` isn't given.
    """
    try:
        return Earlier(read_run(assignment.directory))
    except Refused as refused:
        if not assignment.config["rerun"]:
            raise
        return Earlier(damage=refused)
    except Damaged as damage:
        return Earlier(damage=damage)


def make_way(assignment: Assignment, run: RunDirectory, earlier: Earlier) -> tuple[Earlier, Kept]:
    """Move files that the run doesn't resume from to `previous/`.

    With `rerun=true` these are all files, unless the run was interrupted and has the same options and code of the
    user's own: then it resumes.

    Returns:
        The record that remains, and the device options with which the run resumes or starts.
    """
    options, threads, rerun = assignment.config["device"], assignment.threads, assignment.config["rerun"]
    kind = best_kind(options["kind"])
    if earlier.damage is not None and not rerun:
        _keep_what_is_damaged(assignment, run, earlier.damage)
    began = begun_with(run, earlier.record, run_name(assignment.config))
    kept = keep(options, threads, began, kind)
    of_other_code = rerun and changed_modules(recorded_code(began or {}), own_code(assignment.config))
    if rerun and (kept.refused or of_other_code or earlier.status is None or not earlier.status.goes_on):
        run.set_aside()
        return Earlier(), keep(options, threads, None, kind)
    return earlier, kept


def _keep_what_is_damaged(assignment: Assignment, run: RunDirectory, damage: Damaged) -> None:
    """Report a damaged record. Without a whole checkpoint, move the run's files to `previous/`."""
    words = assignment.as_typed(damage)
    if whole_checkpoint(run, run_name(assignment.config)) is not None:
        kept = keep_files(run.path, [RUN_FILE]) if isinstance(damage, OfAnotherRun) else None
        log.warning("%s%s; the run goes on from its checkpoint", words, f"; it is kept in {kept}" if kept else "")
    elif (aside := run.set_aside()) is not None:
        log.warning(
            "%s; the run is trained anew, and its files are kept in %s",
            words,
            assignment.directory / aside.relative_to(run.path),
        )
