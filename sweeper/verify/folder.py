"""Reads a folder of runs for its checks: each run, copies too, with its record and the rows of its metrics."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeper.runs.checks import Damaged
from sweeper.runs.layout import METRICS_FILE
from sweeper.runs.metrics import Row, read_line, read_metrics
from sweeper.runs.record import read_run
from sweeper.runs.results import Results, read_results
from sweeper.runs.rows import Run, read_row
from sweeper.runs.status import Status
from sweeper.system.files import read_file
from sweeper.system.limits import METRICS_BYTES
from sweeper.system.text import counted


@dataclass
class Found:
    """A run of the folder.

    Attributes:
        record: its `run.json`; empty if it can't be read.
        rows: of its `metrics.csv`, as far as they can be read.
        fault: why the rest of `metrics.csv` can't be read; "" if all can.
        content: the SHA-256 of `metrics.csv`; "" if there is none.
    """

    run: Run
    record: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    fault: str = ""
    content: str = ""

    @property
    def path(self) -> str:
        return self.run.path

    @property
    def environment(self) -> dict[str, Any]:
        environment: dict[str, Any] = self.record.get("environment", {})
        return environment

    @property
    def digest(self) -> str | None:
        """The hash of the data's content; None if it isn't recorded."""
        digest = self.environment.get("data_digest")
        return digest if isinstance(digest, str) and digest else None

    @property
    def seed(self) -> int:
        seed: int = self.run.values["seed"]
        return seed


def read_folder(outputs: Sequence[str]) -> tuple[list[Found], Results]:
    """All runs below the folders, and the table in which copies are merged.

    Raises:
        BadInput: a folder can't be read or has no runs.
    """
    every: list[Run] = []

    def read(path: str, name: str) -> Run:
        every.append(read_row(path, name))
        return every[-1]

    results = read_results(outputs, read)
    unreadable = [run for run in results.runs if not any(run is one for one in every)]
    return [_find(run) for run in (*every, *unreadable)], results


def _find(run: Run) -> Found:
    if run.status is Status.DAMAGED:
        return Found(run)
    directory = Path(run.path)
    try:
        record = read_run(directory)
        content = read_file(directory / METRICS_FILE, METRICS_BYTES)
    except Damaged:  # it has just begun
        return Found(run)
    except OSError as error:
        return Found(run, record, [], f"{METRICS_FILE} can't be read: {error.strerror or error}")
    rows, damage = read_metrics(directory / METRICS_FILE)
    return Found(run, record, rows, _reason(content, len(rows)) if damage else "", hashlib.sha256(content).hexdigest())


def _reason(content: bytes, whole: int) -> str:
    """What is wrong with the first row that can't be read."""
    lines = content.decode(errors="replace").split("\n")
    if not whole and len(lines) < 3:
        return f"{METRICS_FILE} has no row"
    if whole + 1 >= len(lines) - 1:
        return f"{METRICS_FILE} is cut off after {counted(whole, 'row')}"
    try:
        read_line(lines[whole + 1])
    except Damaged as damage:
        return f"{METRICS_FILE}, line {whole + 2}: {damage}"
    except ValueError:
        pass
    return f"{METRICS_FILE}, line {whole + 2}: isn't a row of metrics"
