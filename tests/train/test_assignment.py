"""What a process is given to train."""

import dataclasses
import os
from pathlib import Path

import pytest

from sweeper.runs.identity import run_name
from sweeper.train.assignment import Assignment
from tests.engine.test_loop import configure


def assign(outputs: Path, *overrides: str, **more: object) -> Assignment:
    """A tiny run of digits by an MLP, in `outputs`."""
    config = configure("model=mlp", *overrides)
    values: dict = {"parallel": 1, "threads": 1, "overrides": list(overrides)}
    return Assignment(config, outputs / run_name(config), **{**values, **more})


def test_it_can_not_be_changed_on_the_way(tmp_path):
    assignment = assign(tmp_path)
    with pytest.raises(dataclasses.FrozenInstanceError):
        assignment.threads = 2  # type: ignore[misc]
    assert assignment.bars is None and assignment.in_sweep is False


def test_messages_name_the_directory_as_the_user_did(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assignment = dataclasses.replace(assign(tmp_path), directory=Path("outputs/digits-mlp/a-run"))
    words = OSError(f"{tmp_path}/outputs/digits-mlp/a-run/run.json: no space")
    assert assignment.as_typed(words) == "outputs/digits-mlp/a-run/run.json: no space"


def test_its_files_stay_where_they_are_when_the_run_changes_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = dataclasses.replace(assign(tmp_path), directory=Path("a-run")).files()
    os.chdir("/")
    run.write_metrics([])
    assert (tmp_path / "a-run" / "metrics.csv").is_file()
