"""`hydra/launcher=packed`: a plugin as Hydra wants it, and our sweeps as every other launcher carries them out."""

import csv
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest
from conftest import TINY, run_module
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite

from sweeper.places import Host

PACKED = ("hydra/launcher=packed",)


def test_hydra_finds_the_plugin():
    names = {f"{plugin.__module__}.{plugin.__name__}" for plugin in Plugins.instance().discover(Launcher)}
    assert "hydra_plugins.sweeper_packed_launcher.PackedLauncher" in names


@pytest.mark.parametrize(("launcher_name", "overrides"), [("packed", ["hydra.job.chdir=true"])])
class TestHydrasOwnSuite(LauncherTestSuite):
    """A task that isn't ours runs in turn. The suite expects Hydra 1.1's working directory, whatever was set before."""


@pytest.mark.slow
@pytest.mark.parametrize(("task_launcher_cfg", "extra_flags"), [({}, ["-m", *PACKED])])
class TestHydrasOwnIntegration(IntegrationTestSuite):
    """The same through command lines of their own."""


# A task in steps, in this process


@pytest.fixture
def two_lanes(monkeypatch):
    """The CPU takes several runs in turn as a GPU does."""
    monkeypatch.setattr(Host, "several", True)


def in_steps(trace, fail=()):
    """A task of three steps that notes whose configuration it finds set in each."""

    def steps(cfg):
        assert HydraConfig.get().overrides.task == [f"+a={cfg.a}"]
        return advance(cfg)

    def advance(cfg):
        for k in range(3):
            trace.append((cfg.a, k, HydraConfig.get().job.num, os.environ.get("OF_THE_TASK")))
            logging.getLogger("task").warning("run %s step %s", cfg.a, k)
            yield None
            if cfg.a in fail:
                raise ValueError("broken")
        return cfg.a

    return steps


def sweep(runner, steps, tmpdir, *overrides):
    sweep = runner(
        calling_file=None,
        calling_module="hydra.test_utils.a_module",
        task_function=None,
        config_path="configs",
        config_name="compose",
        overrides=[*PACKED, "hydra.launcher.lanes=2", "hydra.job.chdir=false", *overrides],
        temp_dir=tmpdir,
    )
    sweep.in_steps = steps  # the runner gives itself to Hydra as the task
    return sweep


def test_runs_in_turn_keep_their_own_configuration_environment_and_log(two_lanes, hydra_sweep_runner, tmpdir):
    trace = []
    environment = "+hydra.job.env_set.OF_THE_TASK=set"
    with sweep(hydra_sweep_runner, in_steps(trace), tmpdir, "+a=0,1,2", environment) as runner:
        jobs = runner.returns[0]
        assert [job.return_value for job in jobs] == [0, 1, 2]
        assert [job.overrides for job in jobs] == [["+a=0"], ["+a=1"], ["+a=2"]]
        order = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 0), (2, 1), (2, 2)]
        assert trace == [(a, k, a, "set") for a, k in order]
        assert "OF_THE_TASK" not in os.environ
        for a in range(3):
            lines = (Path(tmpdir) / str(a) / "a_module.log").read_text().splitlines()
            assert [line.rpartition("- ")[2] for line in lines] == [f"run {a} step {k}" for k in range(3)]
            assert (Path(tmpdir) / str(a) / ".hydra" / "overrides.yaml").read_text() == f"- +a={a}\n"


class Notes(Callback):
    """What Hydra tells of runs, with the steps that were taken by then."""

    trace: ClassVar[list] = []
    told: ClassVar[list] = []

    def on_job_start(self, config, **kwargs):
        self.told.append(("start", config.a, len(self.trace)))

    def on_job_end(self, config, job_return, **kwargs):
        self.told.append(("end", config.a, len(self.trace), job_return.return_value))


def test_callbacks_hear_of_a_runs_end_when_it_has_ended(two_lanes, hydra_sweep_runner, tmpdir):
    Notes.trace.clear()
    Notes.told.clear()
    notes = f"+hydra.callbacks.notes._target_={__name__}.Notes"
    with sweep(hydra_sweep_runner, in_steps(Notes.trace), tmpdir, "+a=0,1", notes):
        assert Notes.told == [("start", 0, 0), ("start", 1, 1), ("end", 0, 6, 0), ("end", 1, 6, 1)]


def test_an_exception_in_one_run_leaves_the_others_alone(two_lanes, hydra_sweep_runner, tmpdir):
    trace = []
    with pytest.raises(ValueError, match="broken"), sweep(hydra_sweep_runner, in_steps(trace, [0]), tmpdir, "+a=0,1,2"):
        pass
    assert [(a, k) for a, k, *_ in trace] == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]


# Refused before anything starts


@pytest.mark.parametrize("lanes", ["0", "-1", "two", "1.5", "true", "null"])
def test_a_number_of_lanes_that_is_none(call, lanes):
    code, _, err = call("-m", *TINY, "seed=1,2", *PACKED, f"hydra.launcher.lanes={lanes}")
    assert code == 2
    value = {"true": "True", "null": "None"}.get(lanes, lanes)
    assert err == (
        f"error: hydra.launcher.lanes={value}: must be auto, or the number of runs at a time on a GPU, from 1\n"
    )


# Real sweeps, on the CPU. `INTERLEAVED` is the same command with a CPU that takes several runs in turn.

INTERLEAVED = """
import sys
from sweeper.places import Host
Host.several = True
from sweeper.train import main
sys.exit(main())
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
USERS_MODEL = """
import os
import time
from pathlib import Path

import torch
from torch import nn

from sweeper.record import Presence


class Plain(nn.Module):
    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.linear = nn.Linear(64 * in_channels, num_classes)

    def forward(self, images):
        if self.training and len(images) > 2:  # not when it is looked at
            self.trains()
        return self.linear(images.flatten(1))

    def trains(self):
        pass


class TellsItsGpu(Plain):
    def trains(self):
        Path("gpus").mkdir(exist_ok=True)
        Path("gpus", f"{os.environ.get('CUDA_VISIBLE_DEVICES')}-{os.getpid()}").touch()
        time.sleep(0.02)


class LosesTheDevice(Plain):
    def trains(self):
        if not Path("repaired").exists():
            import sweeper.faults

            sweeper.faults.device_answers = lambda: False
            raise RuntimeError("CUDA error: an illegal memory access was encountered\\nCompile with ...")


class NeedsRoom(Plain):
    def trains(self):
        if Presence.runs_here() > int(os.environ["ROOM"]):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


class Fails(Plain):
    def trains(self):
        raise RuntimeError("on fire")
"""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
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
    command = [sys.executable, "-c", INTERLEAVED, *arguments]
    environment = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def users_folder(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    for name in ("TellsItsGpu", "LosesTheDevice", "NeedsRoom", "Fails"):
        text = f"_target_: users_model.{name}\n_partial_: true\n"
        (tmp_path / "conf" / "model" / f"{name}.yaml").write_text(text)
    (tmp_path / "users_model.py").write_text(USERS_MODEL)
    return tmp_path


def with_user(folder):
    return {"cwd": folder, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


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


@pytest.mark.slow
def test_of_several_gpus_each_has_a_process_and_none_trains_a_run_twice(users_folder):
    arguments = ("-m", "--config-dir", "conf", *TINY, "model=TellsItsGpu", "seed=1,2,3,4,5,6", *PACKED)
    for _ in range(2):
        done = run_module("train", *arguments, "rerun=true", **with_user(users_folder), SWEEPER_SIMULATED_GPUS="2")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("completed, test") == 6
    gpus = [path.name.split("-")[0] for path in (users_folder / "gpus").iterdir()]
    assert sorted(gpus) == ["0", "0", "1", "1"]  # a process each, in each of the two sweeps
    previous = [path.name for path in (users_folder / "outputs").glob("*/*/previous/*")]
    assert previous == ["1"] * 6


@pytest.mark.slow
def test_a_gpus_process_that_is_killed_leaves_the_others_alone(users_folder):
    arguments = ["-m", "--config-dir", "conf", *TINY, "model=TellsItsGpu", "seed=1,2,3,4", *PACKED]
    user = with_user(users_folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "sweeper.train", *arguments, "epochs=10"],
        cwd=user.pop("cwd"),
        env={**os.environ, **user, "SWEEPER_SIMULATED_GPUS": "2"},
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(found := list((users_folder / "gpus").glob("*"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(int(found[0].name.split("-")[1]), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: BrokenProcessPool" in errors and "Traceback" not in errors
    assert errors.count("completed, test") == 3  # the one at work there can be taken up again
    again = run_module("train", *arguments, "epochs=10", **with_user(users_folder))
    assert again.returncode == 0 and again.stderr.count("completed, test") == 1


@pytest.mark.slow
def test_a_lost_device_is_said_in_a_line_and_no_run_failed_by_it(users_folder):
    arguments = ("-m", "--config-dir", "conf", *TINY, "model=mlp,LosesTheDevice", "epochs=4", "seed=1,2", *PACKED)
    lost = interleaved(*arguments, "hydra.launcher.lanes=4", **with_user(users_folder))
    assert lost.returncode == 1
    assert [line for line in lost.stderr.splitlines() if "error" in line.lower()] == [
        "error: the GPU is lost to this process (CUDA error: an illegal memory access was encountered); "
        "no run failed by it, the same command goes on from the checkpoints"
    ]
    table = {row["run"]: row["status"] for row in rows(users_folder / "outputs" / "results.csv")}
    assert set(table.values()) == {"interrupted"} and len(table) >= 3
    (users_folder / "repaired").touch()
    done = interleaved(*arguments, "hydra.launcher.lanes=4", **with_user(users_folder))
    assert done.returncode == 0, done.stderr
    assert [run["status"] for run in records(users_folder / "outputs").values()] == ["completed"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("sweep", [(), ("-m", "seed=1,2", "hydra/launcher=basic")], ids=["one run", "basic launcher"])
def test_a_lost_device_is_told_from_a_failed_run_by_other_launchers_too(users_folder, sweep):
    done = run_module("train", "--config-dir", "conf", *TINY, "model=LosesTheDevice", *sweep, **with_user(users_folder))
    assert done.returncode == 1
    assert done.stderr.count("error: the GPU is lost to this process") == 1 and "Traceback" not in done.stderr
    table = run_module("aggregate", "outputs", cwd=users_folder)
    assert table.returncode == 0
    assert {row["status"] for row in rows(users_folder / "outputs" / "results.csv")} == {"interrupted"}


@pytest.mark.slow
def test_without_memory_for_a_lane_there_are_fewer(users_folder):
    arguments = ("-m", "--config-dir", "conf", *TINY, "model=NeedsRoom", "seed=1,2,3,4", *PACKED)
    done = interleaved(*arguments, "hydra.launcher.lanes=3", **with_user(users_folder), ROOM="2")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("going on with 2 at a time") == 1 and done.stderr.count("completed, test") == 4
    assert [run["status"] for run in records(users_folder / "outputs").values()] == ["completed"] * 4


@pytest.mark.slow
def test_a_run_that_has_no_room_alone_fails_in_a_line(users_folder):
    arguments = ("--config-dir", "conf", *TINY, "model=NeedsRoom")
    done = run_module("train", *arguments, **with_user(users_folder), ROOM="0")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    (run,) = records(users_folder / "outputs").values()
    assert run["error"] == ("out of memory with batch_size=64, alone on the CPU device; about batch_size=56 would fit")


@pytest.mark.slow
def test_fail_fast_starts_nothing_more(users_folder):
    arguments = ("-m", "--config-dir", "conf", *LONG[:3], "model=Fails,mlp", "seed=1,2,3", "fail_fast=true", *PACKED)
    done = interleaved(*arguments, "epochs=400", "hydra.launcher.lanes=2", **with_user(users_folder))
    assert done.returncode == 1
    statuses = [run["status"] for run in records(users_folder / "outputs").values()]
    assert "failed" in statuses and set(statuses) <= {"failed", "interrupted"} and len(statuses) <= 2
