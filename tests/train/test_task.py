"""What Hydra is handed: the arguments of the command, and a task that tells its launcher and sweeper of the sweep."""

import os
import pickle
import sys

import cloudpickle
import pytest

from sweeper.config.command_line import read_command_line
from sweeper.runs.sweep_files import SweepStop
from sweeper.system.errors import BadInput, RunFailed
from sweeper.train import deaths, task
from sweeper.train.task import Task, train_by_hydra


@pytest.fixture
def handed(monkeypatch):
    """What Hydra got of each call: its arguments and the task."""
    seen = []

    def run(arguments, parser, given, **options):
        seen.append((arguments, given, os.environ.get("HYDRA_FULL_ERROR")))
        arguments.overrides.append("hydra.mode=MULTIRUN")  # as Hydra does

    monkeypatch.setattr(task, "_run_hydra", run)
    return seen


def test_hydra_gets_the_command_line_and_the_process_keeps_its_own(handed, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["train.py", "another=one"])
    asked = read_command_line(["optimizer=lion", "-m", "seed=1,2"])
    ours, sweep = Task(numbers={1}), SweepStop.begin(tmp_path)
    train_by_hydra(asked, ours, [tmp_path / "digits-mlp" / "lion-seed1"])
    train_by_hydra(asked, ours)
    (first, given, _), (again, _, _) = handed
    left_alone = f"++hydra.job.env_set.{deaths.PASSED_OVER}='1'"
    assert sweep.list_to_skip("1").read_text() == "digits-mlp/lion-seed1"
    sweep.end()
    assert first.overrides == ["optimizer=lion", "seed=1,2", left_alone, "hydra.mode=MULTIRUN"]
    assert again.overrides == ["optimizer=lion", "seed=1,2", "hydra.mode=MULTIRUN"] and again.multirun
    assert given is ours and asked.overrides == ["optimizer=lion", "seed=1,2"]
    assert sys.argv == ["train.py", "another=one"]


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_a_copy_in_another_process_carries_nothing_of_the_sweep(dumps):
    """What it carries here needs not be picklable."""
    copy = pickle.loads(dumps(Task([["seed=1"]], {1, 2}, search=lambda launch: [])))
    assert isinstance(copy, Task) and copy.numbers is None and copy.search is None


def test_what_hydra_fails_by_is_told_in_a_line(handed, monkeypatch):
    def fail(*arguments, **options):
        raise error

    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.setattr(task, "_run_hydra", fail)
    asked = read_command_line(["optimizer=lion"])
    error: Exception = ValueError("no place")
    with pytest.raises(RunFailed, match=r"^ValueError: no place; HYDRA_FULL_ERROR=1 shows where$"):
        train_by_hydra(asked, Task())
    error = BadInput("a line of ours")
    with pytest.raises(BadInput, match=r"^a line of ours$"):
        train_by_hydra(asked, Task())
    assert "HYDRA_FULL_ERROR" not in os.environ
