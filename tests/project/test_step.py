"""The benchmark of a step: as few images as give its batches, and what is wrong is said in a line."""

import subprocess
import sys

import pytest
from conftest import REPOSITORY
from forked import run_forked

pytestmark = pytest.mark.slow
SMALL = ("device=cpu", "device.threads=1", "dataset.train_limit=20", "dataset.test_limit=20", "model.width=2")


def test_four_batches_are_enough_and_options_may_stand_among_overrides():
    words = ("batch_size=5", "--profile", *SMALL, "--textbook", "optimizer=muon")
    command = [sys.executable, "-m", "benchmarks.step", *words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    device, usual, kernels, textbook, _ = done.stdout.splitlines()
    assert device.endswith("1 thread; device=cpu") and "0 kernels" in kernels
    assert all("s/epoch" in line for line in (usual, textbook)) and "the optimizer's own step" in textbook


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("batch_size=6",), "batch_size=6: an epoch has 3 full batches, and at least 4 are needed; give a smaller"),
        (("batch_size=64",), "batch_size=64: an epoch has 0 full batches, and at least 4 are needed"),
        (("dataset.test_limit=7",), "is only in training or only in test images"),
        (("optimizer=sgdd",), "optimizer=sgdd"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(words, line):
    small = (word for word in SMALL if word.partition("=")[0] not in words[0])
    done = run_forked("benchmarks.step", *small, *words, cwd=REPOSITORY)
    assert done.returncode == 2 and done.stdout == "", done.stdout
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and line in done.stderr, done.stderr
