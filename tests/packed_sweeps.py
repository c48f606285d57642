"""Sweeps by `hydra/launcher=packed` as tests ask for them; `interleaved` has a CPU that takes several runs in turn."""

import csv
import json
from pathlib import Path

from conftest import TINY
from forked import TABLES_HERE, run_forked

PACKED = ("hydra/launcher=packed",)

# As a `patch` of `forked`.
INTERLEAVED = """
from sweeper.train.launchers.lanes import Host
Host.several = True
"""
GRID = ("-m", "optimizer=sgd,lion", "seed=1,2", "noise=symmetric", "noise.rate=0.2", *TINY, *PACKED)
# Long enough to be caught in the middle, short enough to be trained whole as well.
LONG = (
    "dataset=digits",
    "device=cpu",
    "device.threads=1",
    "epochs=40",
    "dataset.train_limit=300",
    "model.width=8",
    "checkpoint_every=1",
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def metrics(outputs: Path) -> dict[str, list[dict[str, str]]]:
    times = ("train_seconds", "images_per_second")
    return {
        path.parent.name: [{k: v for k, v in row.items() if k not in times} for row in rows(path)]
        for path in sorted(outputs.glob("*/*/metrics.csv"))
    }


def records(outputs: Path) -> dict[str, dict]:
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(outputs.glob("*/*/run.json"))}


def interleaved(*arguments, cwd, **environment):
    return run_forked("train", *arguments, cwd=cwd, patch=INTERLEAVED + TABLES_HERE, **environment)
