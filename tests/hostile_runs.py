"""Records and metrics as damage, mistakes and attacks make them, each for the directory of a run that was whole."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from made_runs import change_record

from sweeper.runs.metrics import METRICS

ESCAPES = "a\x1b[31mb\u202ec\u200bd\x07e\x9bf\ud800g"  # in red, from right to left, without width, broken
NOWHERE = {"owner": "x", "beat": 0, "host": "elsewhere", "boot": "b", "pid": 7, "process_started": "1"}


def record(**changes: Any) -> Callable[[Path], None]:
    return lambda directory: change_record(directory, **changes)


def text(old: str, new: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        file = directory / "run.json"
        content = file.read_text()
        assert old in content
        file.write_text(content.replace(old, new, 1))

    return change


def cell(column: str, value: str) -> Callable[[Path], None]:
    """Changes a cell of the last row of `metrics.csv`."""

    def change(directory: Path) -> None:
        *lines, last, _ = (directory / "metrics.csv").read_text().split("\n")
        cells = last.split(",")
        cells[METRICS.index(column)] = value
        (directory / "metrics.csv").write_text("\n".join([*lines, ",".join(cells), ""]))

    return change


def running(*changes: Callable[[Path], None], lock: float | None = None) -> Callable[[Path], None]:
    """A record `running`, with the lock of another machine that is dated `lock`."""

    def change(directory: Path) -> None:
        change_record(directory, status="running", result=None)
        for one in changes:
            one(directory)
        if lock is not None:
            (directory / "run.lock").write_text(json.dumps(NOWHERE))
            os.utime(directory / "run.lock", (lock, lock))

    return change


def dated(name: str, seconds: float) -> Callable[[Path], None]:
    return lambda directory: os.utime(directory / name, (seconds, seconds))


DAMAGED = {
    "a seed of 400 digits": record(config__seed=10**400),
    "an epoch too few": record(config__epochs=-1),
    "2^62 epochs": running(record(config__epochs=2**62), lock=time.time()),
    "a list as accuracy": record(result__final_test_accuracy=[0.9]),
    "a text as validation accuracy": record(result__final_val_accuracy="0.9"),
    "an accuracy of 2": record(result__best_test_accuracy=2),
    "a text as target": record(config__target_accuracy="0.9"),
    "an object as noise rate": record(config__noise__rate={"a": 1}),
    "a list as result": record(result=[1]),
    "a list as version": record(environment__versions={"torch": ["x"]}),
    "a thousand years and more": record(environment__device_seconds=1e308),
    "seconds of 400 digits": record(result__train_seconds=10**400),
    "a number of 5000 digits": text('"epochs": 3', f'"epochs": {"9" * 5000}'),
    "nested too deep": text('"epochs": 3', f'"epochs": {"[" * 100_000}'),
    "nested deep": text('"epochs": 3', '"epochs": ' + '{"a":' * 900 + "3" + "}" * 900),
    "a key twice": text('"epochs": 3', '"epochs": 3, "epochs": 4'),
    "a text of 5 MB": record(config__tag="x" * 5_000_000),
    "more than a record": lambda directory: os.truncate(directory / "run.json", 30 * 2**30),
    "an error that is a number": record(error=5),
}
TOLD = {  # in the cell `error`; the status is the record's
    "a number above all in the metrics": cell("train_accuracy", "1e308"),
    "endless seconds": running(cell("train_seconds", "1e300")),
    "no number": running(cell("test_accuracy", "nan")),
    "an epoch of 400 digits": running(cell("epoch", "9" * 400)),
}
SHOWN = {  # as whole runs
    "a lock dated ahead": running(lock=4e9),
    "a lock of 1970": running(lock=0),
    "2^31 epochs, begun in 1970": running(record(config__epochs=2**31 - 1), dated("run.json", 0), lock=time.time()),
    "escapes everywhere": record(
        config__tag=ESCAPES,
        config__dataset__root=ESCAPES,
        environment__device_name=ESCAPES,
        environment__started=ESCAPES,
        environment__overrides=[f"tag={ESCAPES}"],
        environment__versions={"torch": ESCAPES},
    ),
    "escapes in an error": record(status="failed", result=None, error=ESCAPES),
    "lists as facts": record(environment__device_name=["x"], environment__started=[1], environment__overrides=7),
}
HOSTILE = DAMAGED | TOLD | SHOWN
