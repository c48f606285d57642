"""Of several GPUs each has a process, on a CPU that pretends them."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import TINY
from forked import TABLES_HERE, run_forked, start
from packed_sweeps import PACKED, rows

from sweeper.system.processes import process_started

USERS_MODEL = """
import os
import time
from pathlib import Path

from torch import nn


class TellsItsGpu(nn.Module):
    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.linear = nn.Linear(64 * in_channels, num_classes)

    def forward(self, images):
        if self.training and len(images) > 2 and not images.is_meta:  # not when it is tried before the sweep
            Path("gpus").mkdir(exist_ok=True)
            Path("gpus", f"{os.environ.get('CUDA_VISIBLE_DEVICES')}-{os.getpid()}").touch()
            time.sleep(0.02)
        return self.linear(images.flatten(1))
"""


@pytest.fixture
def users_folder(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    text = "_target_: users_model.TellsItsGpu\n_partial_: true\n"
    (tmp_path / "conf" / "model" / "TellsItsGpu.yaml").write_text(text)
    (tmp_path / "users_model.py").write_text(USERS_MODEL)
    return tmp_path


def with_user(folder):
    return {"cwd": folder, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


@pytest.mark.slow
def test_of_several_gpus_each_has_a_process_and_none_trains_a_run_twice(users_folder):
    arguments = ("-m", "--config-dir", "conf", *TINY, "model=TellsItsGpu", "seed=1,2,3,4,5,6", *PACKED)
    given = {**with_user(users_folder), "patch": TABLES_HERE}
    for more in ({}, {"SWEEPER_SIMULATED_GPUS": "2"}):
        done = run_forked("train", *arguments, "rerun=true", **given, **more)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("completed, test") == 6
    gpus = [path.name.split("-")[0] for path in (users_folder / "gpus").iterdir()]
    assert sorted(gpus) == ["0", "1", "None"]  # a process each, and of the first sweep its own
    previous = [path.name for path in (users_folder / "outputs").glob("*/*/previous/*")]
    assert previous == ["1"] * 6


@pytest.mark.slow
def test_a_gpus_process_that_is_killed_leaves_the_others_alone(users_folder):
    arguments = ["-m", "--config-dir", "conf", *TINY, "model=TellsItsGpu", "seed=1,2,3,4", *PACKED]
    variables = {**os.environ, "PYTHONPATH": with_user(users_folder)["PYTHONPATH"], "SWEEPER_SIMULATED_GPUS": "2"}
    streams = {"log": users_folder / "out", "errors": users_folder / "errors"}
    given = {"cwd": users_folder, **streams, "patch": TABLES_HERE, "environment": variables}
    command = start("train", *arguments, "epochs=10", **given)
    while len(found := list((users_folder / "gpus").glob("*"))) < 2:
        assert command.wait(0.02) is None, command.text
    os.kill(int(found[0].name.split("-")[1]), signal.SIGKILL)
    assert command.wait(60) == 1
    errors = streams["errors"].read_text()
    assert errors.count(" ended in the middle of it (") == 1 and "Traceback" not in errors
    assert errors.count("completed, test") == 3
    assert sorted(row["status"] for row in rows(users_folder / "outputs" / "results.csv")) == [
        *["completed"] * 3,
        "failed",
    ]
    again = run_forked("train", *arguments, "epochs=10", **with_user(users_folder), patch=TABLES_HERE)
    assert again.returncode == 0 and again.stderr.count("completed, test") == 1


BLOCKED = r"""
import os
from sweeper.train.launchers.gpu_processes import on_each_gpu

def block(numbers):
    os.write(1, b"%d\n" % os.getpid())  # in one piece, beside the other process's
    os.read(os.pipe()[0], 1)

if __name__ == "__main__":
    on_each_gpu(["0", "1"], block, 2)
"""


def test_its_processes_end_after_the_command_was_killed_even_if_they_are_blocked(tmp_path):
    (tmp_path / "blocked.py").write_text(BLOCKED)
    with subprocess.Popen([sys.executable, tmp_path / "blocked.py"], stdout=subprocess.PIPE, text=True) as command:
        try:
            pids = [int(command.stdout.readline()) for _ in range(2)]
            assert all(process_started(pid) is not None for pid in pids)
        finally:
            command.kill()
        command.stdout.read()  # to the end of the last process that has it
    assert [process_started(pid) for pid in pids] == [None, None]
