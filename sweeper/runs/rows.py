"""Reads one run directory as one row of the table. Every value is validated; an invalid record gives a damaged row."""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeper.runs.agreement import disagreement
from sweeper.runs.checks import AMOUNT, COUNT, DEVICE, EPOCHS, NUMBER, OPTION, SECONDS, SEED, SHARE, TEXT, Damaged, Kind
from sweeper.runs.identity import contradiction, flat, identity_config, named_precision
from sweeper.runs.layout import LOCK_FILE, METRICS_FILE, RUN_FILE
from sweeper.runs.metrics import check_figures, figures_so_far, read_metrics
from sweeper.runs.own_code import code_of_parts
from sweeper.runs.record import OfAnotherRun, Refused, effective_status, find_finished, read_run
from sweeper.runs.status import Status
from sweeper.runs.tuned_on import by_images
from sweeper.system.files import when_written
from sweeper.system.lock import is_alive, read_lock
from sweeper.system.text import printable, shortened

MOST_VALUES = 1000  # in one configuration
READS = 3  # of a run whose record changes while it is read, at most
CODE_OF = "code of "  # and a module of the user's own: in `Run.conditions`
ARM = "arm"  # the column of `Run.arm`
# What is to be done about damaged files, in words that follow the error.
LEFT_OUT = "left out of means and verdicts"
TRAIN_ANEW = "its own command trains it again"
GO_ON = "its own command goes on"
PUT_BACK = "its result counts; put the run's own file back, or train it again by rerun=true"

# Columns, their dotted names in the configuration, and the kinds of their values.
FROM_CONFIG: dict[str, tuple[str, Kind]] = {
    "dataset": ("dataset.name", TEXT),
    "model": ("model.name", TEXT),
    "optimizer": ("optimizer.name", TEXT),
    "noise": ("noise.name", TEXT),
    "noise_rate": ("noise.rate", SHARE),
    "seed": ("seed", SEED),
    "lr": ("optimizer.lr", NUMBER),
    "weight_decay": ("optimizer.weight_decay", NUMBER),
    "epochs": ("epochs", EPOCHS),
    "batch_size": ("batch_size", COUNT),
}
# Columns at the table's end, in a table in which a run has them: the share of the device's energy that a run took, and
# what its time cost by `price_per_hour`.
ASIDES = ("energy_kwh", "cost")
OPTIONAL = ("noise_rate", "lr", "weight_decay")  # a third-party optimizer may lack them


@dataclass(slots=True)
class Run:
    """A row of the table, and what comparisons need beyond its cells.

    Attributes:
        path: its directory.
        values: the row's cells by column; None is an empty cell.
        configuration: the identity without the seed, as JSON; "" if the record can't be read.
        conditions: what may change a result but isn't part of the identity, e.g. `{"precision": "bf16"}`.
        versions: of sweeper and the libraries; empty if none were recorded.
        started: when it began or last resumed, in UTC, e.g. `2025-01-31T12:00:00Z`; "" if it isn't recorded.
        other_files: which files of a finished run aren't those of its record, in one line; "" if all are.
        lists: the values that are lists, whole; their cells are texts.
        comparisons: its arm in each comparison of arms that it is in, by the comparison's number and its folder.
        unnamed: whether it is compared without its arm, too.
        tuned: where its setting was tuned, e.g. `100 epochs`, as sweeps said.
        untuned: whether it is compared with settings that weren't tuned, too.
        confirms: whether `sweeper.choose --confirm` named it to confirm a search.
        device_seconds: the device time that it took, its share where others ran beside it; None if it isn't recorded.
        device_name: "" if it isn't recorded.
        classes: the number of classes of its images; None if it isn't recorded.
        test_images: how many it was tested on; None if it isn't recorded.
        mend: what is to be done about a damaged file, in words that follow `error`; "" if none is.
    """

    path: str
    values: dict[str, Any]
    configuration: str = ""
    conditions: dict[str, str] = field(default_factory=dict)
    versions: tuple[tuple[str, str], ...] = ()
    epochs_done: int = 0
    started: str = ""
    other_files: str = ""
    lists: dict[str, list[Any]] = field(default_factory=dict)
    comparisons: dict[tuple[int, str], str] = field(default_factory=dict)
    unnamed: bool = True
    tuned: frozenset[str] = frozenset()
    untuned: bool = True
    confirms: bool = False
    device_seconds: float | None = None
    device_name: str = ""
    classes: int | None = None
    test_images: int | None = None
    mend: str = ""

    @property
    def arm(self) -> str | None:
        """The name that the last sweep of arms with it gave it."""
        return self.values.get(ARM)

    @property
    def status(self) -> Status:
        return Status(self.values["status"])


def read_row(path: str, name: str) -> Run:
    """The run in the directory `path` as a row, `name` in its column `run`; status `damaged` if it can't be read."""
    for _ in range(READS):
        written = when_written(Path(path, RUN_FILE))
        row = _read_once(path, name)
        if when_written(Path(path, RUN_FILE)) == written:
            break  # else the run ended or began anew meanwhile, and its other files aren't those of the record
    return row


def _read_once(path: str, name: str) -> Run:
    try:
        return _read(Path(path), printable(name))
    except OfAnotherRun as damage:
        return damaged_row(path, name, str(damage), "rename the folder back, or move it away")
    except Damaged as damage:
        reason = str(damage).removeprefix(f"{path}/")
    except RecursionError:
        reason = f"{RUN_FILE}: nested too deep"
    return damaged_row(path, name, reason, _mend(path))


def damaged_row(path: str, name: str, reason: str, mend: str) -> Run:
    """
    Args:
        mend: what is to be done, beside what `reason` says; "" for nothing.
    """
    values = {"run": printable(name), "status": Status.DAMAGED.value, "error": shortened(reason)}
    return Run(path, values, mend="; ".join(filter(None, (LEFT_OUT, mend))))


def _mend(path: str) -> str:
    """What `sweeper.train` does with a run that is no row of the table."""
    try:
        finished = find_finished(Path(path))
    except Refused:
        return ""  # its error says what to do
    return TRAIN_ANEW if finished is None else f"{TRAIN_ANEW} by rerun=true"


def _read(directory: Path, name: str) -> Run:
    if not os.path.lexists(directory / RUN_FILE):
        lock = directory / LOCK_FILE
        if (seen := read_lock(lock)) is not None and is_alive(lock, seen, wait=False):
            return Run(str(directory), {"run": name, "status": Status.RUNNING.value})  # it has just begun
        raise Damaged(f"there is no {RUN_FILE}")
    run = read_run(directory, own=False)
    try:
        row = _row(run, directory, name)
    except Damaged as damage:
        raise Damaged(f"{RUN_FILE}: {damage}") from damage
    if (other := contradiction(directory, run)) is not None:  # after values, whose error says more
        raise OfAnotherRun(f"{RUN_FILE}: {other}")
    return row


def _row(run: dict[str, Any], directory: Path, name: str) -> Run:
    config, environment, result, error = run["config"], run["environment"], run["result"] or {}, run.get("error")
    if not isinstance(error, (str, type(None))):
        raise Damaged(f"error is {error!r:.40}; it must be a text")
    if not isinstance(config.get("dataset"), dict):
        raise Damaged("dataset is missing")
    values = _config_values(config)
    for column, kind in (("device", DEVICE), ("precision", TEXT)):
        values[column] = kind.check(f"environment.{column}", environment.get(column))
    status = effective_status(run, directory)
    target = SHARE.check("target_accuracy", config.get("target_accuracy"))
    other_files = mend = ""
    if status.goes_on:
        rows, damage = read_metrics(directory / METRICS_FILE)
        result = {**result, **figures_so_far(rows, target)}
        error, mend = error or damage, GO_ON if damage and not error and status is Status.INTERRUPTED else ""
    elif status.finished and (other_files := disagreement(directory, run) or ""):
        error, mend = f"{error}; {other_files}" if error else other_files, PUT_BACK
    values |= _result_values(result, status)
    # Less device time than training time: the run shared the device, or it was killed and the count is incomplete.
    spent = SECONDS.check("environment.device_seconds", environment.get("device_seconds"))
    asides = {name: AMOUNT.check(f"environment.{name}", environment.get(name)) for name in ASIDES}
    if spent is not None and spent < (values["train_seconds"] or 0) and not values["shared_device"]:
        values["shared_device"], asides = None, {}
    values |= {name: value for name, value in asides.items() if value is not None}
    values |= {"run": name, "status": status.value, "error": shortened(error) if error else None}
    versions = environment.get("versions") or {}
    if not isinstance(versions, dict):
        raise Damaged("environment.versions must be texts by name")
    versions = {str(k): TEXT.check("environment.versions", v) for k, v in versions.items() if v is not None}
    digest = TEXT.check("environment.data_digest", environment.get("data_digest"))
    if isinstance(values.get("tuned"), str):
        values["tuned"] = by_images(values["tuned"], digest and digest[:8])
    conditions = {
        "device": values["device"],
        "precision": values["precision"] if named_precision(config) is None else None,
        "torch": versions.get("torch"),
        "sweeper": versions.get("sweeper"),
        "data": digest and digest[:8],
        **{f"{CODE_OF}{module}": " then ".join(digests) for module, digests in code_of_parts(environment).items()},
    }
    return Run(
        str(directory),
        values,
        sys.intern(json.dumps(identity_config({**config, "seed": None}), sort_keys=True)),
        {what: value for what, value in conditions.items() if value},
        tuple(sorted(versions.items())),
        EPOCHS.check("result.epochs_done", result.get("epochs_done")) or 0,
        _text(environment.get("started")),
        other_files,
        {name: value for name, value in flat(config) if isinstance(value, list)},
        device_seconds=spent,
        device_name=sys.intern(_text(environment.get("device_name"))),
        classes=COUNT.check("environment.num_classes", environment.get("num_classes")),
        test_images=COUNT.check("environment.test_images", environment.get("test_images")),
        mend=mend,
    )


def _text(fact: Any) -> str:
    return shortened(fact) if isinstance(fact, str) else ""


def _config_values(config: dict[str, Any]) -> dict[str, Any]:
    values = {sys.intern(name): value for name, value in flat(config)}  # saves memory: all rows share the names
    for name in values:
        if len(name) > 200 or not name.isprintable():
            raise Damaged(f"config has the name {name!r:.40}")
    if len(values) > MOST_VALUES:
        raise Damaged(f"config has more than {MOST_VALUES} values")
    head = {column: kind.check(source, _value_at(config, source)) for column, (source, kind) in FROM_CONFIG.items()}
    for source, _ in FROM_CONFIG.values():
        values.pop(source, None)
    values = {
        name: shortened(json.dumps(value)) if isinstance(value, list) else value for name, value in values.items()
    }
    for column, value in head.items():
        if value is None and column not in OPTIONAL:
            raise Damaged(f"{FROM_CONFIG[column][0]} is missing")
    if head["noise"] == "none":
        head["noise_rate"] = head["noise_rate"] or 0.0
    elif values.get("noise.kind") == "human":
        head["noise_rate"] = None  # the label file's rate, which isn't recorded
    return {**{name: OPTION.check(name, value) for name, value in values.items()}, **head}


def _value_at(config: dict[str, Any], name: str) -> Any:
    """The value of a dotted name; None if it is missing."""
    group, dot, option = name.partition(".")
    value = config.get(group)
    return value if not dot else value.get(option) if isinstance(value, dict) else None


def _result_values(result: dict[str, Any], status: Status) -> dict[str, Any]:
    """The figures; final ones only of a completed run, which has them for certain."""
    values = check_figures(result)
    if status is not Status.COMPLETED:
        return values | {column: None for column in values if column.startswith("final_")}
    for column in ("final_test_accuracy", "best_test_accuracy"):
        if values[column] is None:
            raise Damaged(f"result.{column} is missing, of a completed run")
    return values
