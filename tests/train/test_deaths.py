"""Which run is to blame when a process dies that carried several out, without any training."""

import json
import os
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool

import pytest
from conftest import TINY

from sweeper.config.grid import compose_grid
from sweeper.runs.directory import RunDirectory
from sweeper.runs.record import read_run
from sweeper.runs.sweep_files import SweepStop, tidy_folder, write_sweep
from sweeper.system.processes import this_process
from sweeper.train import deaths
from sweeper.train.deaths import Deaths, dead_owner, is_passed_over, passing_over, tell_of_the_dead
from sweeper.train.label import VARIES_VARIABLE, Labelled
from sweeper.train.launchers.joblib import Joblib


@pytest.fixture
def cells(tmp_path):
    return compose_grid(["-m", *TINY, "seed=1,2,3", f"outputs={tmp_path}"]).cells


def die(cell, pid=None):
    """As a process leaves a run in which it dies."""
    if pid is None:
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        pid = process.pid
    run = RunDirectory(cell.directory)
    run.write_run("running", cell.config, {})
    lock = {"owner": os.urandom(4).hex(), "beat": 0, **this_process(), "pid": pid, "process_started": "1"}
    (cell.directory / "run.lock").write_text(json.dumps(lock))
    return pid


def status(cell):
    return read_run(cell.directory)["status"]


def test_a_run_whose_process_is_gone_is_told_with_its_name(cells, monkeypatch, capsys):
    pid = die(cells[0])
    assert dead_owner(cells[0].directory)["pid"] == pid
    assert dead_owner(cells[1].directory) is None
    runs = [Labelled(cell.directory, cell.config, ()) for cell in cells]
    assert tell_of_the_dead(runs) == [cells[0].directory]
    line = f"{cells[0].directory}: process {pid} on host {this_process()['host']} ended in the middle of it "
    line += "(killed, a crash, or os._exit); it goes on from its checkpoint\n"
    assert capsys.readouterr().err == line
    monkeypatch.setenv(VARIES_VARIABLE, json.dumps({"": ["optimizer", "seed"]}))  # of a sweep
    tell_of_the_dead(runs)
    name = cells[0].config["optimizer"]["name"]
    assert capsys.readouterr().err == f"{name}, seed 1, in {line}"


def test_a_sweep_of_arms_names_it_by_its_arm(call, monkeypatch):
    """Also if the sweep in which its process died was none of arms."""
    monkeypatch.setattr("sweeper.train.sweep._prepare", lambda *given: None)
    monkeypatch.setattr("sweeper.train.sweep.train_by_hydra", lambda *given: None)
    asked = ["-m", *TINY, "--arm", "slow: optimizer.lr=0.01", "--arm", "fast: optimizer.lr=0.1", "seed=1,2"]
    cell = compose_grid(asked).cells[0]
    die(cell)
    _, _, told = call(*asked, "hydra/launcher=basic")
    assert f"slow, seed 1, in {cell.directory}: process " in told
    assert "ended in the middle of it (killed, a crash, or os._exit); it goes on from its checkpoint, after " in told


def test_nobody_waits_to_learn_whether_a_hidden_process_lives(cells, monkeypatch):
    """Another user's, on a machine that hides it: its run may be one of a hundred, each watched for a minute."""
    monkeypatch.setattr("sweeper.system.processes.process_started", lambda pid: "")
    monkeypatch.setattr("sweeper.system.lock.time.sleep", lambda seconds: pytest.fail("it waits"))
    die(cells[0])
    assert dead_owner(cells[0].directory) is None


def test_the_run_that_had_the_process_for_itself_failed_and_is_named_by_what_varies(cells, monkeypatch, capsys):
    monkeypatch.setenv(VARIES_VARIABLE, json.dumps({"": ["seed"]}))
    died = Deaths(cells, Joblib())
    die(cells[0])
    assert died.settle(BrokenProcessPool())
    assert capsys.readouterr().err.startswith(f"seed 1, in {cells[0].directory}: failed: process ")
    record = read_run(cells[0].directory)
    assert record["status"] == "failed" and "ended in the middle of it" in record["error"]
    assert not (cells[0].directory / "run.lock").exists()


def test_of_those_that_joblib_killed_afterwards_none_failed(cells):
    died = Deaths(cells, Joblib())
    guilty = die(cells[0])
    die(cells[1])
    died.codes[guilty] = -11
    assert died.settle(BrokenProcessPool())
    assert [status(cell) for cell in cells[:2]] == ["failed", "running"]
    assert read_run(cells[0].directory)["error"].endswith("(SIGSEGV)")


def test_of_several_in_one_process_those_failed_that_meet_it_twice(cells):
    died = Deaths(cells, Joblib())
    pid = die(cells[0])
    die(cells[1], pid)
    assert died.settle(BrokenProcessPool())
    assert [status(cell) for cell in cells[:2]] == ["running", "running"]
    pid = die(cells[1])
    die(cells[2], pid)
    assert died.settle(BrokenProcessPool())
    assert [status(cell) for cell in cells] == ["running", "failed", "running"]


def test_what_an_earlier_command_left_is_not_held_against_a_run(cells):
    die(cells[0])
    died = Deaths(cells, Joblib())
    assert not died.settle(BrokenProcessPool())
    assert status(cells[0]) == "running"


def test_another_error_is_nobodys_death(cells):
    died = Deaths(cells, Joblib())
    die(cells[0])
    assert not died.settle(ValueError()) and not died.settle(None)


@pytest.fixture
def sweep(tmp_path):
    stop = SweepStop.begin(tmp_path)
    yield stop
    stop.end()


def test_names_travel_to_workers_by_a_file_that_the_environment_names(cells, sweep, tmp_path, monkeypatch):
    assert passing_over([]) == [] and not is_passed_over(cells[0].directory)
    for number, ended in enumerate((cells[:2], cells[2:]), 1):
        (override,) = passing_over([cell.directory for cell in ended])
        assert override == f"++hydra.job.env_set.{deaths.PASSED_OVER}='{number}'"
        monkeypatch.setenv(deaths.PASSED_OVER, str(number))
        assert [is_passed_over(cell.directory) for cell in cells] == [cell in ended for cell in cells]
    sweep.end()
    assert list(tmp_path.iterdir()) == []


def test_five_thousand_names_are_no_more_than_one(sweep, tmp_path, monkeypatch):
    """As a variable they would be more than Linux lets a process start with."""
    directories = [tmp_path / "imagenette-resnet18" / f"schedulefree_adamw-seed{k}-0123456789" for k in range(5000)]
    (override,) = passing_over(directories)
    variable, _, value = override.removeprefix("++hydra.job.env_set.").partition("=")
    monkeypatch.setenv(variable, value.strip("'"))
    assert subprocess.run([sys.executable, "-c", ""], check=True).returncode == 0
    assert is_passed_over(directories[4999]) and not is_passed_over(tmp_path / "imagenette-resnet18" / "other")


def test_lists_of_a_killed_sweep_are_removed(sweep, tmp_path):
    write_sweep(tmp_path, sweep.key, [])
    passing_over([tmp_path / "digits-cnn" / "sgd-seed1"])
    record = tmp_path / f".sweep-{sweep.key}.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "process_started": "1"}))
    tidy_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
