"""Packed runs on a real GPU: the same as alone, whatever happens beside them."""

import csv
import json
import os
import re
from pathlib import Path

import pytest
import torch
from conftest import run_module

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]

TINY = ("dataset=digits", "dataset.train_limit=300", "epochs=3", "device=cuda", "device.deterministic=true")
PACKED = ("hydra/launcher=packed", "hydra.launcher.lanes=3")
USERS_MODEL = """
from pathlib import Path

import torch
from torch import nn


class Drops(nn.Module):
    '''What it draws for dropout must not depend on the runs beside it.'''

    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * in_channels, num_classes))

    def forward(self, images):
        if self.training and len(images) > 2 and not images.is_meta:  # not when it is tried before the sweep
            self.trains(images)
        return self.layers(images)

    def trains(self, images):
        pass


class Fails(Drops):
    def trains(self, images):
        raise RuntimeError("on fire")


class LosesTheDevice(Drops):
    def trains(self, images):
        if not Path("repaired").exists():
            torch.zeros(1, device=images.device)[torch.full((1,), 10, device=images.device)]  # a device-side assert


def share(images, part):
    '''Bytes of so much of the GPU's memory.'''
    return int(torch.cuda.get_device_properties(images.device).total_memory * part)


class Holds(Drops):
    '''Two of these fit, three do not.'''

    held = None

    def trains(self, images):
        if self.held is None and images.is_cuda:
            self.held = torch.empty(share(images, 0.37), dtype=torch.uint8, device=images.device)


class GrowsWithTheBatch(Drops):
    '''64 images need twice the memory.'''

    def trains(self, images):
        if images.is_cuda:
            torch.empty(share(images, len(images) / 32), dtype=torch.uint8, device=images.device)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    for name in ("Drops", "Fails", "LosesTheDevice", "Holds", "GrowsWithTheBatch"):
        text = f"_target_: users_model.{name}\n_partial_: true\n"
        (tmp_path / "conf" / "model" / f"{name}.yaml").write_text(text)
    (tmp_path / "users_model.py").write_text(USERS_MODEL)
    return tmp_path


def train(folder, *arguments):
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return run_module("train", "--config-dir", "conf", *TINY, *arguments, cwd=folder, PYTHONPATH=path)


def records(outputs: Path) -> dict[str, dict]:
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(outputs.glob("*/*/run.json"))}


def metrics(outputs: Path) -> dict[str, list[dict[str, str]]]:
    times = ("train_seconds", "images_per_second")
    tables = {}
    for path in sorted(outputs.glob("*/*/metrics.csv")):
        with path.open(newline="") as file:
            tables[path.parent.name] = [
                {k: v for k, v in row.items() if k not in times} for row in csv.DictReader(file)
            ]
    return tables


def test_a_run_gives_the_same_packed_as_alone_to_the_last_bit(folder):
    grid = ("-m", "model=cnn,Drops", "optimizer=sgd,adamw,lion", "seed=1,2")
    alone = train(folder, *grid, "outputs=alone", "hydra/launcher=basic")
    assert alone.returncode == 0, alone.stderr
    packed = train(folder, *grid, "outputs=packed", *PACKED)
    assert packed.returncode == 0, packed.stderr
    assert len(metrics(folder / "alone")) == 12
    assert metrics(folder / "packed") == metrics(folder / "alone")
    for path in (folder / "alone").glob("*/*/model.safetensors"):
        assert (folder / "packed" / path.relative_to(folder / "alone")).read_bytes() == path.read_bytes(), path
    shared = [run["result"]["shared_device"] for run in records(folder / "packed").values()]
    assert shared.count(True) >= 11


def test_lanes_of_different_precision_are_what_each_is_alone(folder):
    for precision in ("fp32", "bf16", "fp16"):
        alone = train(folder, f"device.precision={precision}", "outputs=alone")
        assert alone.returncode == 0, alone.stderr
    packed = train(folder, "-m", "device.precision=fp32,bf16,fp16", "outputs=packed", *PACKED)
    assert packed.returncode == 0, packed.stderr
    assert {run["environment"]["precision"] for run in records(folder / "packed").values()} == {"fp32", "bf16", "fp16"}
    assert len(metrics(folder / "packed")) == 3
    assert metrics(folder / "packed") == metrics(folder / "alone")


def test_a_diverging_and_a_failing_run_leave_the_others_alone(folder):
    alone = train(folder, "-m", "model=Drops", "seed=1,2", "outputs=alone", "hydra/launcher=basic")
    assert alone.returncode == 0, alone.stderr
    mixed = ("model=Fails,Drops", "optimizer.lr=0.1,1e30", "seed=1,2")
    packed = train(folder, "-m", *mixed, "outputs=packed", *PACKED)
    assert packed.returncode == 1 and "Traceback" not in packed.stderr
    runs = records(folder / "packed")
    statuses = {
        (run["config"]["model"]["name"], run["config"]["optimizer"]["lr"]): run["status"] for run in runs.values()
    }
    assert statuses == {
        ("Fails", 0.1): "failed",
        ("Fails", 1e30): "failed",
        ("Drops", 0.1): "completed",
        ("Drops", 1e30): "diverged",
    }
    tables = metrics(folder / "packed")
    assert {name: tables[name] for name in metrics(folder / "alone")} == metrics(folder / "alone")


def test_auto_trains_all_runs_whatever_number_it_finds(folder):
    done = train(folder, "-m", "seed=1,2,3,4", "epochs=400", "hydra/launcher=packed")
    assert done.returncode == 0, done.stderr
    assert [run["status"] for run in records(folder / "outputs").values()] == ["completed"] * 4


def test_a_lost_device_is_said_in_a_line_and_the_same_command_goes_on(folder):
    grid = ("-m", "model=cnn,LosesTheDevice", "seed=1,2", "epochs=30", *PACKED)
    lost = train(folder, *grid)
    assert lost.returncode == 1
    assert lost.stderr.count("error: the GPU is lost to this process (CUDA error: device-side assert") == 1
    assert "failed" not in {run["status"] for run in records(folder / "outputs").values()}
    (folder / "repaired").touch()
    done = train(folder, *grid)
    assert done.returncode == 0, done.stderr
    assert [run["status"] for run in records(folder / "outputs").values()] == ["completed"] * 4


def test_without_memory_for_a_third_lane_there_are_two(folder):
    done = train(folder, "-m", "model=Holds", "seed=1,2,3,4", *PACKED)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("going on with 2 at a time") == 1
    assert [run["status"] for run in records(folder / "outputs").values()] == ["completed"] * 4


def test_a_batch_too_large_for_the_gpu_is_answered_by_one_that_fits(folder):
    done = train(folder, "model=GrowsWithTheBatch", "batch_size=64")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    (run,) = records(folder / "outputs").values()
    told = re.fullmatch(
        r"out of memory with batch_size=64, alone on the CUDA device; about batch_size=(\d+) would fit", run["error"]
    )
    assert told and 8 <= int(told[1]) <= 28
    again = train(folder, "model=GrowsWithTheBatch", f"batch_size={told[1]}")
    assert again.returncode == 0, again.stderr
