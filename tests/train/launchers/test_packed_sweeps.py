"""Real sweeps by `hydra/launcher=packed` on the CPU: the same as by every other launcher."""

import os
import signal

import pytest
from conftest import TINY
from forked import TABLES_HERE, run_forked, start
from packed_sweeps import GRID, INTERLEAVED, LONG, PACKED, interleaved, metrics, records

SWEEP = ("-m", "optimizer=lion,sgd,adam", *LONG, *PACKED, "hydra.launcher.lanes=2")


def alone(folder, *arguments):
    """The outputs of a sweep's runs one after another."""
    done = run_forked("train", *arguments, "hydra/launcher=basic", cwd=folder, patch=TABLES_HERE)
    assert done.returncode == 0, done.stderr
    return folder / "outputs"


@pytest.fixture(scope="module")
def basic(tmp_path_factory):
    return alone(tmp_path_factory.mktemp("basic"), *GRID)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return alone(tmp_path_factory.mktemp("untouched"), *SWEEP[:-2])


# Runs of other tests, which use the CPU at the same time, are kept out of sight by a temporary folder of one's own.


@pytest.mark.slow
def test_a_sweep_on_the_cpu_is_the_same_as_by_the_basic_launcher(basic, tmp_path):
    arguments = (*GRID, "hydra.launcher.lanes=3")
    done = run_forked("train", *arguments, cwd=tmp_path, patch=TABLES_HERE, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("hydra.launcher.lanes=3: on CPU it is 1") == 1
    assert metrics(tmp_path / "outputs") == metrics(basic)
    for path in basic.glob("*/*/*"):
        assert (tmp_path / "outputs" / path.relative_to(basic)).exists(), path
    assert not any(run["result"]["shared_device"] for run in records(tmp_path / "outputs").values())


@pytest.mark.slow
def test_runs_in_turn_give_the_same_and_each_its_own_log(basic, tmp_path):
    done = interleaved(*GRID, "hydra.launcher.lanes=3", cwd=tmp_path, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("completed, test") == 4
    assert metrics(tmp_path / "outputs") == metrics(basic)
    for path in basic.glob("*/*/model.safetensors"):
        assert (tmp_path / "outputs" / path.relative_to(basic)).read_bytes() == path.read_bytes()
    for log in basic.glob("*/*/train.log"):
        lines = [
            [line.partition("sweeper: ")[2].partition(", ")[0].replace("basic/", "") for line in text.splitlines()]
            for text in (log.read_text(), (tmp_path / "outputs" / log.relative_to(basic)).read_text())
        ]
        assert lines[0] == lines[1] and len(lines[0]) == 3
    shared = [run["result"]["shared_device"] for run in records(tmp_path / "outputs").values()]
    assert sorted(shared) == [False, True, True, True]  # the fourth begins when the three have ended


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_sweep_stopped_in_the_middle_goes_on_to_the_same_result(tmp_path, untouched, processes):
    """One process with two lanes, and two as for two GPUs."""
    environment = {"SWEEPER_SIMULATED_GPUS": str(processes)}
    variables, patch = {**os.environ, **environment}, INTERLEAVED + TABLES_HERE
    command = start("train", *SWEEP, cwd=tmp_path, log=tmp_path / "log", patch=patch, environment=variables)
    outputs = tmp_path / "outputs"
    while len(list(outputs.glob("*/*/checkpoint.pt"))) < 2:
        assert command.wait(0.02) is None, command.text
    os.kill(command.pid, signal.SIGTERM)
    assert command.wait(30) == 143 and "Traceback" not in command.text, command.text
    statuses = [run["status"] for run in records(outputs).values()]
    assert statuses.count("interrupted") >= 2 and set(statuses) <= {"interrupted", "completed"}
    done = interleaved(*SWEEP, cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert not list(outputs.glob("*/*/run.lock*"))
    assert metrics(outputs) == metrics(untouched)


@pytest.mark.slow
def test_optimizers_of_every_kind_train_packed_as_alone(tmp_path):
    names = "sam,sophia,soap,adan,lamb,prodigy,schedule_free_sgd,schedule_free_adamw"
    arguments = ["-m", f"optimizer={names}", *TINY]
    done = interleaved(*arguments, *PACKED, "hydra.launcher.lanes=4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "alone").mkdir()
    trained = metrics(tmp_path / "outputs")
    assert len(trained) == 8 and trained == metrics(alone(tmp_path / "alone", *arguments))


@pytest.mark.slow
def test_two_packed_processes_share_a_sweep(tmp_path):
    variables, patch = dict(os.environ), INTERLEAVED + TABLES_HERE
    logs = [tmp_path / "first", tmp_path / "second"]
    given = {"cwd": tmp_path, "patch": patch, "environment": variables}
    both = [start("train", *SWEEP, log=log, **given) for log in logs]
    assert [command.wait(120) for command in both] == [0, 0], [command.text for command in both]
    assert sum(command.text.count("completed, test") for command in both) == 3  # each once, by whichever came first
    assert {run["status"] for run in records(tmp_path / "outputs").values()} == {"completed"}
    assert not list((tmp_path / "outputs").glob("*/*/run.lock*"))
