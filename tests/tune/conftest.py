"""Stands in for `sweeper.train`, so that the steps are carried out in this process without training."""

import math
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from made_runs import change_record, make_rows, write_finished_run

from sweeper.config.grid import Grid, compose_grid
from sweeper.train.search.widen import widen
from sweeper.tune.search import unfinished

# A search of three settings of each optimizer.
TASK = ("dataset=digits", "model=mlp", "epochs=2", "device=cpu", "decay_factor=1")


class Trainer:
    """Finishes at once what a command line of `sweeper.train` asks for, and remembers it.

    Attributes:
        asked: the words of each call.
        codes: the exit codes of calls that are stopped, by their number.
        begun: how many runs such a call trains before.
        score: the validation accuracy of a run, from its configuration; None: it diverged.
        images: the hash of the images that are here.
    """

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.codes: dict[int, int] = {}
        self.begun = 0
        self.images = "d" * 64
        self.score: Callable[[dict[str, Any]], float | None] = best_at(1.0)

    def __call__(self, command: list[str], variables: Any = None, stdout: Any = None) -> int:
        assert command[:3] == [sys.executable, "-m", "sweeper.train"]
        words = command[3:]
        self.asked.append(words)
        asked = composed([word for word in words if word != "--json"])
        if code := self.codes.pop(len(self.asked), 0):
            for cell in asked.cells[: self.begun]:
                self._finish(asked.outputs, cell.config)
            return code
        while left := unfinished(grid := widen(asked)[0]):
            for cell in grid.cells:
                if cell.directory in left:
                    self._finish(grid.outputs, cell.config)
        if "--json" in words:
            stdout.write(b'{"exit_code": 0, "answers": ["No winner yet"]}')
        return 0

    def _finish(self, outputs: Path, config: dict[str, Any]) -> None:
        recorded = {"overrides": ["device=cpu"], "data_digest": self.images}
        rows = make_rows([0.9 + 0.001 * config["seed"] % 0.01] * config["epochs"])
        run = write_finished_run(outputs, config, rows, recorded)
        if config["dataset"]["validation_fraction"]:
            held_out = self.score(config)
            change_record(run, result__final_val_accuracy=held_out, result__best_val_accuracy=held_out)
            if held_out is None:
                change_record(run, status="diverged", error="it diverged", result__final_test_accuracy=None)


@cache
def _composed(words: tuple[str, ...]) -> Grid:
    return compose_grid([*words])


def composed(words: list[str], command: str = "train") -> Grid:
    """`compose_grid`, each command line once: paths are relative to the folder of the test."""
    return _composed(tuple(words))


def best_at(factor: float) -> Callable[[dict[str, Any]], float]:
    """Validation accuracies that are the higher the nearer the learning rate is to so many times the usual one."""
    usual = {"sgd": 0.1, "lion": 0.0005, "adam": 0.001}

    def score(config: dict[str, Any]) -> float:
        optimizer = config["optimizer"]
        far = abs(math.log10(optimizer["lr"] / usual[optimizer["name"]] / factor))
        return 0.9 - far / 10

    return score


@pytest.fixture
def trainer(monkeypatch, tmp_path) -> Trainer:
    """In place of every `sweeper.train` that a step starts, in an empty folder."""
    trainer = Trainer()
    monkeypatch.chdir(tmp_path)
    for module in ("sweeper.tune.search", "sweeper.tune.steps", "sweeper.choose.confirm"):
        monkeypatch.setattr(f"{module}.compose_grid", composed)
    monkeypatch.setattr("sweeper.datasets.here.ImagesHere.hash", lambda self, config: trainer.images[:8])
    for module in ("tune.search", "choose.confirm", "tune.command", "system.child"):
        monkeypatch.setattr(f"sweeper.{module}.run", trainer)
    return trainer
