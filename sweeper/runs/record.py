"""`run.json`: its schema, read and checked."""

import contextlib
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeper.runs.identity import IDENTITY_VERSION, contradiction
from sweeper.runs.layout import LOCK_FILE, RUN_FILE
from sweeper.runs.status import RECORDED, Status
from sweeper.system.errors import BadInput
from sweeper.system.files import read_file
from sweeper.system.lock import is_alive, read_lock

# Of `run.json`. Whoever counts it up adds below how a record of the version before is read.
SCHEMA_VERSION = 1
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}  # from this version to the next
LARGEST_RECORD = 2**24  # bytes of `run.json`
# What opening it tells where something else, or nothing, is in its place.
_NO_RECORD = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.EFBIG)


class Damaged(Exception):
    """A file of a run directory that can't be read as what it is. One line."""


class Refused(Damaged, BadInput):
    """One that may be whole, but that we may not read or don't know: to be left as it is."""


class OfAnotherRun(Damaged):
    """A whole file that was made by another run: to be kept, and not to be believed here."""


def read_run(directory: Path, own: bool = True) -> dict[str, Any]:
    """`run.json`, parsed, brought to this version's schema and checked in form.

    Raises:
        Damaged: not there, cut off, or of no such form.
        OfAnotherRun: with `own`, its configuration gives another name than the directory has.
        Refused: it can't be read, or is of a newer schema or identity than this version knows.
    """
    path = directory / RUN_FILE
    try:
        run = json.loads(read_file(path, LARGEST_RECORD))
    except OSError as error:
        if error.errno in _NO_RECORD:
            raise Damaged(f"{path}: {error.strerror or error}") from error
        raise Refused(f"{path}: can't be read: {error.strerror or error}; make it readable") from error
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
    version = run.get("identity_version", 1)  # of records of the time when there was one
    if isinstance(version, int) and version > IDENTITY_VERSION:
        raise Refused(f"{path}: of identity {version}, this sweeper knows up to {IDENTITY_VERSION}; update sweeper")
    if own and (other := contradiction(directory, run["config"])) is not None:
        raise OfAnotherRun(f"{path}: {other}")
    return {**run, "status": Status(run["status"])}


def _migrate(run: dict[str, Any]) -> dict[str, Any]:
    """An older record as this version would have written it; as it is where no step knows it."""
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):  # no such record
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
    """The record of a finished run in `directory`, or None if there is work to do.

    Raises:
        Refused: there is a record that may be whole.
    """
    try:
        run = read_run(directory)
    except Refused:
        raise
    except Damaged:
        return None
    return run if run["status"].finished else None
