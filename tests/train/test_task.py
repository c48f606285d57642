"""What Hydra is handed: the arguments of the command, and a task that tells its launcher and sweeper of the sweep."""

import os
import pickle
import sys

import cloudpickle
import hydra
import pytest
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl

from sweeper.config import composed_once, composer
from sweeper.config.command_line import read_command_line
from sweeper.config.grid import compose_grid, expand
from sweeper.runs.status import Status
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


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["optimizer.name=AdEMAMix", "optimizer.weight_decay=0.1"], {"lr": 1e-3, "weight_decay": 0.1, "alpha": 5.0}),
        (["optimizer.name=SGD", "+optimizer.dampening=0.5"], {"lr": 1e-3, "momentum": 0, "dampening": 0.5}),
    ],
)
def test_the_configuration_of_any_class_is_shown_with_its_defaults(words, values, call, tmp_path):
    """And is a choice of one's own when it is put into a file."""
    any_class = ["dataset=digits", "optimizer=any", *words]
    code, shown, errors = call(*any_class, "--cfg", "job", "--package", "optimizer")
    assert (code, errors) == (0, "") and values.items() <= yaml.safe_load(shown).items()
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text(shown)
    again = compose_grid(["--config-dir", str(tmp_path), "dataset=digits", "optimizer=mine"])
    assert again.cells[0].directory == compose_grid(any_class).cells[0].directory
    assert yaml.safe_load(call(*any_class, "lr_factor=2", "--cfg", "job")[1])["optimizer"]["lr"] == values["lr"]
    assert "1e-08" not in call(*any_class, "--cfg", "hydra")[1]


class Trains(Task):
    """Trains nothing, and keeps the optimizers that its runs would train."""

    def __call__(self, cfg):
        trained.append(cfg.optimizer._target_.rpartition(".")[2])
        return Status.COMPLETED


trained: list[str] = []


@pytest.fixture
def composed(monkeypatch) -> list[list[str]]:
    """The words of each composition by Hydra."""
    words: list[list[str]] = []
    load = ConfigLoaderImpl._load_configuration_impl

    def record(loader, config_name, overrides, *others, **options):
        words.append(overrides)
        return load(loader, config_name, overrides, *others, **options)

    monkeypatch.setattr(ConfigLoaderImpl, "_load_configuration_impl", record)
    monkeypatch.setattr(composed_once, "_composed", {})
    monkeypatch.setattr(composer, "compose", hydra.compose)  # for each command line anew, as in a process of its own
    trained.clear()
    return words


@pytest.mark.parametrize("words", [["-m", "optimizer=sgd,adam"], ["experiment=quick", "optimizer=sgd,adam"]])
def test_a_sweep_is_composed_once_and_each_combination_once(words, composed, tmp_path):
    """The command line's launcher and mode, each optimizer, and what Hydra hands to its sweeper."""
    line = [*words, "seed=1,2", "dataset=digits", "model=cnn", "hydra/launcher=basic", f"outputs={tmp_path}"]
    asked = read_command_line(line)
    train_by_hydra(asked, Trains(expand(asked).jobs))
    assert sorted(trained) == ["Adam", "Adam", "SGD", "SGD"] and len(composed) == 1 + 2 + 1


def test_a_single_run_is_composed_twice(composed, tmp_path):
    asked = read_command_line(["dataset=digits", "model=cnn", f"outputs={tmp_path}"])
    expand(asked)
    train_by_hydra(asked, Trains())
    assert trained == ["SGD"] and len(composed) == 2
