"""Real sweeps by `hydra/launcher=packed` on the CPU: the same as by every other launcher."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import TINY, run_module
from packed_sweeps import GRID, INTERLEAVED, LONG, PACKED, interleaved, metrics, records


@pytest.fixture(scope="module")
def basic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("basic")
    done = run_module("train", *GRID, "hydra/launcher=basic", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "outputs"


# Runs of other tests, which use the CPU at the same time, are kept out of sight by a temporary folder of one's own.


@pytest.mark.slow
def test_a_sweep_on_the_cpu_is_the_same_as_by_the_basic_launcher(basic, tmp_path):
    done = run_module("train", *GRID, "hydra.launcher.lanes=3", cwd=tmp_path, TMPDIR=str(tmp_path))
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
def test_a_sweep_stopped_in_the_middle_goes_on_to_the_same_result(tmp_path, processes):
    """One process with two lanes, and two as for two GPUs."""
    arguments = ["-m", "optimizer=lion,sgd,adam", *LONG, *PACKED, "hydra.launcher.lanes=2"]
    environment = {"SWEEPER_SIMULATED_GPUS": str(processes)}
    process = subprocess.Popen(
        [sys.executable, "-c", INTERLEAVED, *arguments],
        cwd=tmp_path,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    outputs = tmp_path / "outputs"
    while len(list(outputs.glob("*/*/checkpoint.pt"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 143 and "Traceback" not in errors, errors
    statuses = [run["status"] for run in records(outputs).values()]
    assert statuses.count("interrupted") >= 2 and set(statuses) <= {"interrupted", "completed"}
    done = interleaved(*arguments, cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert not list(outputs.glob("*/*/run.lock*"))
    alone = run_module("train", *[a for a in arguments if "launcher" not in a], "outputs=alone", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert metrics(outputs) == metrics(tmp_path / "alone")


@pytest.mark.slow
def test_optimizers_of_every_kind_train_packed_as_alone(tmp_path):
    names = "sam,sophia,soap,adan,lamb,prodigy,schedule_free_sgd,schedule_free_adamw"
    arguments = ["-m", f"optimizer={names}", *TINY]
    done = interleaved(*arguments, *PACKED, "hydra.launcher.lanes=4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    alone = run_module("train", *arguments, "outputs=alone", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert len(metrics(tmp_path / "outputs")) == 8 and metrics(tmp_path / "outputs") == metrics(tmp_path / "alone")


@pytest.mark.slow
def test_two_packed_processes_share_a_sweep(tmp_path):
    arguments = ["-m", "optimizer=lion,sgd,adam", *LONG, *PACKED, "hydra.launcher.lanes=2"]
    command = [sys.executable, "-c", INTERLEAVED, *arguments]
    both = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert sum(text.count("completed, test") for text in errors) == 3  # each run once, by whichever came first
    assert {run["status"] for run in records(tmp_path / "outputs").values()} == {"completed"}
    assert not list((tmp_path / "outputs").glob("*/*/run.lock*"))
