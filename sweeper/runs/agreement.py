"""Detects files of a finished run that don't agree with its record: emptied, cut off, changed, or of another run.

The record names the content of `metrics.csv` and `model.safetensors` under `files`; records of earlier versions don't,
and their `metrics.csv` is compared with the result alone.
"""

import contextlib
import hashlib
from pathlib import Path
from typing import Any

from sweeper.runs.checks import Damaged
from sweeper.runs.layout import METRICS_FILE, WEIGHTS_FILE
from sweeper.runs.metrics import METRICS, read_line
from sweeper.runs.status import Status
from sweeper.system.files import read_file, sha256
from sweeper.system.limits import METRICS_BYTES
from sweeper.system.text import counted

NAMED = (METRICS_FILE, WEIGHTS_FILE)
_CHANGED = "isn't the file that the run wrote"


def describe_files(directory: Path) -> dict[str, dict[str, Any]]:
    """The size and SHA-256 of those of `NAMED` that exist, for the record of a finished run.

    Raises:
        OSError: one can't be read, so that the record couldn't tell it from another later.
    """
    found = {}
    for path in (directory / name for name in NAMED):
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            found[path.name] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
    return found


def disagreement(directory: Path, record: dict[str, Any]) -> str | None:
    """Which files don't agree with a finished run's record, for a row of the table; None if all do.

    Takes a tenth of a millisecond: of the weights only the size is compared. Missing weights aren't reported, since
    runs are often kept without them.
    """
    found = [metrics_disagreement(directory, record)]
    if (directory / WEIGHTS_FILE).exists():
        found.append(weights_disagreement(directory, record))
    return "; ".join(filter(None, found)) or None


def metrics_disagreement(directory: Path, record: dict[str, Any]) -> str | None:
    """Why `metrics.csv` isn't that of a finished run's record, which was written after it; None if it is.

    A missing file is no disagreement if the record doesn't name it.
    """
    named = _recorded(record, METRICS_FILE)
    try:
        content = read_file(directory / METRICS_FILE, METRICS_BYTES)
    except FileNotFoundError:
        return f"{METRICS_FILE} is missing" if named else None
    except OSError as error:
        return f"{METRICS_FILE} can't be read: {error.strerror or error}"
    if named and hashlib.sha256(content).hexdigest() == named["sha256"]:
        return None
    difference = _compare(content, record) or (_CHANGED if named else None)
    return difference and f"{METRICS_FILE} {difference}"


def weights_disagreement(directory: Path, record: dict[str, Any], whole: bool = False) -> str | None:
    """Why `model.safetensors` isn't what the run wrote; None if it is, or if the record doesn't name it.

    Args:
        whole: read the file if its size is right; else only the size is compared.
    """
    path, named = directory / WEIGHTS_FILE, _recorded(record, WEIGHTS_FILE)
    if named is None:
        return None
    try:
        if (size := path.stat().st_size) != named["bytes"]:
            return f"{WEIGHTS_FILE} has {counted(size, 'byte')}, the run wrote {named['bytes']:,}"
        return f"{WEIGHTS_FILE} {_CHANGED}" if whole and sha256(path) != named["sha256"] else None
    except FileNotFoundError:
        return f"{WEIGHTS_FILE} is missing"
    except OSError as error:
        return f"{WEIGHTS_FILE} can't be read: {error.strerror or error}"


def _recorded(record: dict[str, Any], name: str) -> dict[str, Any] | None:
    """What the record says of a file; None for nothing, or nothing in form."""
    files = record.get("files")
    named = files.get(name) if isinstance(files, dict) else None
    in_form = isinstance(named, dict) and type(named.get("bytes")) is int and isinstance(named.get("sha256"), str)
    return named if in_form else None


def _compare(content: bytes, record: dict[str, Any]) -> str | None:
    """The difference between the rows of a `metrics.csv` and the result of a record."""
    result = record["result"] or {}
    if not content:
        return "is empty"
    header, _, rest = content.partition(b"\n")
    if header != ",".join(METRICS).encode():
        return "has another first line than the names of the metrics"
    epochs = result.get("epochs_done")
    if epochs is None:
        return None
    if not content.endswith(b"\n"):
        return f"is cut off after {rest.count(10)} of {counted(epochs, 'epoch')}"
    if (rows := rest.count(10)) != epochs:
        return f"has {counted(rows, 'epoch')}, the run {epochs}"
    if not rows:
        return None
    try:
        last = read_line(rest[:-1].rpartition(b"\n")[2].decode())
    except (ValueError, Damaged):
        return "has a last row that isn't one of metrics"
    compared = [("epoch", "epochs_done"), ("step", "steps")]
    if record["status"] is Status.COMPLETED:
        compared.append(("test_accuracy", "final_test_accuracy"))
    for name, figure in compared:
        if (value := result.get(figure)) is not None and value != last[name]:
            return f"is of another run: its last {name} is {last[name]}, this run's {value}"
    return None
