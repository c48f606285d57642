"""The checks of one run: its name, its status, and whether record and metrics tell the same and what can be."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from sweeper.runs.identity import recorded_version, run_name
from sweeper.runs.metrics import figures
from sweeper.runs.status import Status
from sweeper.system.text import counted
from sweeper.verify.finding import Finding, note
from sweeper.verify.folder import Found

OWN_FILES = "send the run's own run.json and metrics.csv, or leave it out"
# Relative differences between the figures of one run's record and its metrics: means over all epochs are of seconds
# that metrics.csv rounds.
_ROUNDED = {"train_seconds": 1e-5, "images_per_second": 1e-2}
_HALF_A_TENTH = 0.05  # images/s, for speeds to a tenth: that was all that earlier versions gave, also of slow models


def check_run(one: Found) -> Iterator[Finding]:
    """What doesn't hold of a run."""
    where, status = one.path, one.run.status
    if not one.record:
        error = one.run.values.get("error") or f"is {status}, without a record"
        yield Finding(error, where, OWN_FILES)
        return
    expected = Path(run_name(one.record["config"], recorded_version(one.record))).name
    if Path(where).resolve().name != expected:
        yield Finding(f"its configuration is that of {expected}", where, "name the directory so")
    if not status.finished and status is not Status.PRUNED:
        yield Finding(f"is {status}", where, "finish it by the same command, or leave it out")
        return
    if one.fault or one.run.other_files:
        yield Finding(one.fault or one.run.other_files, where, OWN_FILES)
    else:
        for what in _check_rows(one):
            yield Finding(what, where, OWN_FILES)
    if one.digest is None:
        yield Finding("its record has no hash of the data's content", where, "train it again with this version")
    if str(commit := one.environment.get("commit")).endswith("-dirty"):
        yield Finding(f"its code had uncommitted changes ({commit})", where, "train it again from a commit")
    if one.environment.get("host"):
        yield note("its record names the machine; record_host=false leaves that out", where)


def _check_rows(one: Found) -> Iterator[str]:
    config, result, rows, status = one.record["config"], one.record["result"] or {}, one.rows, one.run.status
    epochs = [row["epoch"] for row in rows]
    if not rows or epochs != list(range(1, len(rows) + 1)):
        yield f"metrics.csv has the epochs {_ends(epochs)}, which aren't 1, 2, 3, …"
        return
    if status is Status.COMPLETED and len(rows) != config["epochs"]:
        yield f"has {counted(len(rows), 'epoch')}, its configuration asks for {config['epochs']}"
    steps = [0.0, *(row["step"] or 0.0 for row in rows)]
    if any(after <= before for before, after in pairwise(steps)):
        yield "metrics.csv has steps that don't rise"
    for name in ("train_seconds", "images_per_second"):
        if any(not row[name] for row in rows):
            yield f"an epoch has {name} of 0"
    yield from _check_values(one, rows, config)
    for name, value in figures(rows, config.get("target_accuracy"), status).items():
        if name in result and not _agree(name, result[name], value):
            yield f"{name} is {result[name]} in run.json and {value} by metrics.csv"


def _check_values(one: Found, rows: list[dict[str, float | None]], config: dict[str, Any]) -> Iterator[str]:
    """Whether what an epoch must have is there, and finite."""
    whole = rows if one.run.status is not Status.DIVERGED else rows[:-1]
    names = ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]
    names += ["val_loss", "val_accuracy"] if config["dataset"].get("validation_fraction") else []
    for name in names:
        odd = [row for row in whole if not _is_finite(row[name])]
        if odd:
            yield f"{name} is missing or not finite at epoch {odd[0]['epoch']:.0f}"
    last = rows[-1]
    if (
        one.run.status is Status.DIVERGED
        and config.get("divergence_loss") is None
        and len(rows) < config["epochs"]
        and _is_finite(last["train_loss"])
        and _is_finite(last["test_loss"])
    ):
        yield f"is diverged, but its loss is finite at its last epoch, {len(rows)} of {config['epochs']}"


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _agree(name: str, recorded: Any, computed: Any) -> bool:
    if isinstance(recorded, float) and isinstance(computed, float):
        to_a_tenth = name == "images_per_second" and recorded == round(recorded, 1)
        absolute = _HALF_A_TENTH if to_a_tenth else 0.0
        return math.isclose(recorded, computed, rel_tol=_ROUNDED.get(name, 0.0), abs_tol=absolute)
    return bool(recorded == computed)


def _ends(values: list[float | None]) -> str:
    return f"{values[0]} to {values[-1]}" if values else "none"
