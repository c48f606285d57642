"""What the machine tells of itself, with a GPU and without."""

import sys
from types import SimpleNamespace

import pytest

from sweeper.watch.load import Machine


class NVMLError(Exception):
    pass


def refuse(*arguments):
    raise NVMLError


@pytest.fixture
def nvml(monkeypatch):
    """A stand-in for NVIDIA's library, of two GPUs."""
    library = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda k: k,
        nvmlDeviceGetName=lambda handle: b"Some GPU" if handle else "Some GPU",
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=2**30, total=2**33),
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=97),
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return library


def test_memory_and_load_of_processors_and_gpus(nvml):
    state = Machine().look()
    assert 0 <= state["cpu_load"] <= 1 and 0 < state["memory_used_bytes"] < state["memory_total_bytes"]
    gpu = {"name": "Some GPU", "load": 0.97, "memory_used_bytes": 2**30, "memory_total_bytes": 2**33}
    assert state["gpus"] == [gpu, gpu]


def test_a_gpu_that_does_not_answer_has_no_figures(nvml):
    nvml.nvmlDeviceGetUtilizationRates = nvml.nvmlDeviceGetMemoryInfo = nvml.nvmlDeviceGetName = refuse
    gpu = {"name": "GPU", "load": None, "memory_used_bytes": None, "memory_total_bytes": None}
    assert Machine().look()["gpus"] == [gpu, gpu]


def test_without_a_driver_or_the_library_there_are_no_gpus(nvml, monkeypatch):
    nvml.nvmlInit = refuse
    assert Machine().look()["gpus"] == []
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Machine().look()["gpus"] == []
