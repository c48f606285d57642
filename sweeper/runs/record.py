"""Reads and validates `run.json`."""

import contextlib
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeper.runs.checks import Damaged as Damaged  # noqa: PLC0414  for its importers
from sweeper.runs.identity import IDENTITY_VERSION, contradiction, recorded_version
from sweeper.runs.layout import LOCK_FILE, RUN_FILE
from sweeper.runs.metrics import check_figures
from sweeper.runs.status import RECORDED, Status
from sweeper.system.errors import BadInput
from sweeper.system.files import read_file
from sweeper.system.limits import RECORD_BYTES
from sweeper.system.lock import is_alive, read_lock

EARLIER = "earlier"  # in `environment` and the checkpoint: the facts of each earlier part that differ
# The version of `run.json`'s schema. To increment it, add the migration from the previous version below.
SCHEMA_VERSION = 1
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}  # from this version to the next
# The errors of opening it that mean that the file is missing or isn't a record.
_NO_RECORD = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.EFBIG)


class Refused(Damaged, BadInput):
    """A file may be whole, but this user may not read it or this version doesn't know its format: leave it alone."""


class OfAnotherRun(Damaged):
    """A file is whole but belongs to another run: keep it, don't use it for this run."""


class _KeyTwice(Exception):
    """An object in JSON has a key twice. The message is the key."""


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _KeyTwice(key)
        found[key] = value
    return found


def read_run(directory: Path, own: bool = True) -> dict[str, Any]:
    """The validated content of `run.json`, migrated to this version's schema.

    Args:
        own: also check that the record belongs to the run that the directory is named after.

    Raises:
        Damaged: it is missing, cut off, or not a run's record, or a finished run has a figure that can't be.
        OfAnotherRun: its configuration gives another name than the directory's.
        Refused: it can't be read, or its schema or identity version is newer than this version knows.
    """
    path = directory / RUN_FILE
    try:
        run = json.loads(read_file(path, RECORD_BYTES), object_pairs_hook=_each_key_once)
    except OSError as error:
        if error.errno in _NO_RECORD:
            raise Damaged(f"{path}: {error.strerror or error}") from error
        raise Refused(f"{path}: can't be read: {error.strerror or error}; make it readable") from error
    except _KeyTwice as error:
        raise Damaged(f"{path}: names {str(error)!r:.40} twice") from error
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path}: not whole JSON") from error
    if not isinstance(run, dict):
        raise Damaged(f"{path}: not a run's record")
    version = run.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise Refused(f"{path}: of schema {version}, this sweeper reads up to {SCHEMA_VERSION}; update sweeper")
    run = _migrate(run)
    in_form = (
        run.get("schema_version") == SCHEMA_VERSION
        and run.get("status") in RECORDED
        and isinstance(run.get("config"), dict)
        and isinstance(run.get("environment"), dict)
        and isinstance(run.get("result", ""), (dict, type(None)))
    )
    if not in_form:
        raise Damaged(f"{path}: not a run's record of schema {SCHEMA_VERSION}")
    if (version := recorded_version(run)) > IDENTITY_VERSION:
        raise Refused(f"{path}: of identity {version}, this sweeper knows up to {IDENTITY_VERSION}; update sweeper")
    if own and (other := contradiction(directory, run)) is not None:
        raise OfAnotherRun(f"{path}: {other}")
    status = Status(run["status"])
    if own and status.finished:
        if not isinstance(run.get("error"), (str, type(None))):
            raise Damaged(f"{path}: error must be a text")
        try:
            check_figures(run["result"] or {})
        except Damaged as damage:
            raise Damaged(f"{path}: {damage}") from damage
    return {**run, "status": status}


def _migrate(run: dict[str, Any]) -> dict[str, Any]:
    """An older record, migrated to this version's schema; unchanged if there is no migration for it."""
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):  # not a run's record
        while run.get("schema_version") in MIGRATIONS:
            version = run["schema_version"]
            run = {**MIGRATIONS[version](run), "schema_version": version + 1}
    return run


def effective_status(run: dict[str, Any], directory: Path) -> Status:
    """The status as it is now: a `running` run whose owner is gone is `interrupted`."""
    status: Status = run["status"]
    if status is not Status.RUNNING:
        return status
    seen = read_lock(directory / LOCK_FILE)
    alive = seen is not None and is_alive(directory / LOCK_FILE, seen, wait=False)
    return Status.RUNNING if alive else Status.INTERRUPTED


def recorded_status(directory: Path) -> Status | None:
    """As it was last written; None where there is no record that can be read."""
    with contextlib.suppress(Damaged):
        status: Status = read_run(directory)["status"]
        return status
    return None


def find_finished(directory: Path) -> dict[str, Any] | None:
    """The record of a finished run in `directory`; None if the run must still be trained.

    Raises:
        Refused: a record exists that may be whole but can't be used.
    """
    try:
        run = read_run(directory)
    except Refused:
        raise
    except Damaged:
        return None
    return run if run["status"].finished else None
