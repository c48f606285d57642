"""`hydra/launcher=packed` where GPUs, memory and processes fail, on a CPU that pretends them."""

import os

import pytest
from conftest import TINY
from forked import TABLES_HERE, run_forked
from packed_sweeps import LONG, PACKED, interleaved, records, rows

USERS_MODEL = """
import os
from pathlib import Path

import torch
from torch import nn

from sweeper.train.presence import Presence


class Plain(nn.Module):
    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.linear = nn.Linear(64 * in_channels, num_classes)

    def forward(self, images):
        if self.training and len(images) > 2 and not images.is_meta:  # not when it is tried before the sweep
            self.trains()
        return self.linear(images.flatten(1))

    def trains(self):
        pass


class LosesTheDevice(Plain):
    def trains(self):
        if not Path("repaired").exists():
            import sweeper.engine.memory

            sweeper.engine.memory.device_answers = lambda: False
            raise RuntimeError("CUDA error: an illegal memory access was encountered\\nCompile with ...")


class NeedsRoom(Plain):
    def trains(self):
        if Presence.runs_here() > int(os.environ["ROOM"]):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


class Fails(Plain):
    def trains(self):
        raise RuntimeError("on fire")
"""


@pytest.fixture
def users_folder(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    for name in ("LosesTheDevice", "NeedsRoom", "Fails"):
        text = f"_target_: users_model.{name}\n_partial_: true\n"
        (tmp_path / "conf" / "model" / f"{name}.yaml").write_text(text)
    (tmp_path / "users_model.py").write_text(USERS_MODEL)
    return tmp_path


def with_user(folder):
    return {"cwd": folder, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


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
    arguments = ("--config-dir", "conf", *TINY, "model=LosesTheDevice", *sweep)
    done = run_forked("train", *arguments, **with_user(users_folder), patch=TABLES_HERE)
    assert done.returncode == 1
    assert done.stderr.count("error: the GPU is lost to this process") == 1 and "Traceback" not in done.stderr
    table = run_forked("aggregate", "outputs", cwd=users_folder)
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
    done = run_forked("train", *arguments, **with_user(users_folder), ROOM="0")
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
