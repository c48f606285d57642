"""Where our kernels run, that nobody else needs Triton, and, without a GPU, the kernels in Triton's interpreter."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest
import torch
from conftest import REPOSITORY
from interpreted import INTERPRETED

from sweeper.engine.kernels.triton import triton_serves

GPU = torch.device("cuda")


@pytest.fixture
def a_gpu(monkeypatch):
    """A GPU of compute capability 8.0 as torch tells it, with Triton and a compiler."""
    triton_serves.cache_clear()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    monkeypatch.setenv("CC", "cc")
    yield
    triton_serves.cache_clear()


def test_a_gpu_from_8_0_on_with_triton_is_served(a_gpu):
    assert triton_serves(GPU) and not triton_serves(torch.device("cpu")) and not triton_serves(torch.device("mps"))


@pytest.mark.parametrize(
    ("where", "name", "stand_in"),
    [
        (torch.cuda, "get_device_capability", lambda device: (7, 5)),
        (importlib.util, "find_spec", lambda name: None),
        (os.path, "exists", lambda path: not path.endswith("Python.h")),
        (shutil, "which", lambda name: None),
    ],
    ids=["an older GPU", "no Triton", "no headers of Python's", "no compiler"],
)
def test_what_the_kernels_need_is_asked_for(where, name, stand_in, a_gpu, monkeypatch):
    monkeypatch.delenv("CC")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert triton_serves(GPU)
    triton_serves.cache_clear()
    monkeypatch.setattr(where, name, stand_in)
    assert not triton_serves(GPU)


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="this is the interpreter")
def test_kernels_in_the_interpreter():
    """All tests marked by `in_the_interpreter`, in one process."""
    pytest.importorskip("triton")
    engine = REPOSITORY / "tests" / "engine"
    numbers = f"{engine}/test_fuse_numbers.py::test_a_network_with_the_kernels_is_the_network_without"
    files = [*engine.glob("kernels/test_*kernel*.py"), engine / "kernels" / "test_augment.py", numbers]
    command = [sys.executable, "-m", "pytest", *map(str, files), "-m", "not cuda", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_without_a_gpu_no_triton_is_needed():
    code = "import sys; sys.modules['triton'] = None; import sweeper.models, sweeper.engine.loop"
    subprocess.run([sys.executable, "-c", code], check=True)
