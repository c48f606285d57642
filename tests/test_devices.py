"""CUDA > MPS > CPU, and what each kind must not do; the kinds that this machine lacks are simulated."""

import os

import pytest
import torch

from sweeper import devices
from sweeper.devices import Device, choose_device, parallel_runs, prepare_process
from sweeper.errors import BadInput

AUTO = {"kind": "auto", "precision": "auto", "threads": None, "compile": "auto", "deterministic": False}


@pytest.fixture
def machine(monkeypatch):
    """`machine("cuda", "mps")`: what torch says this machine has."""

    def pretend(*kinds: str, capability: tuple[int, int] = (9, 0)) -> None:
        monkeypatch.setattr(
            devices, "kinds_here", lambda: {"cuda": "cuda" in kinds, "mps": "mps" in kinds, "cpu": True}
        )
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)

    yield pretend
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = torch.backends.cudnn.deterministic = False


def choose(**options: object) -> Device:
    return choose_device({**AUTO, **options}, threads=2)


@pytest.mark.parametrize(
    ("kinds", "line"),
    [
        (("cuda", "mps"), "device: CUDA (NVIDIA H100), bf16; the fastest here"),
        (("mps",), "device: MPS (Apple Silicon GPU), fp32; no CUDA here"),
    ],
)
def test_the_best_kind_is_chosen_and_said_in_one_line(machine, kinds, line):
    machine(*kinds)
    assert choose().line() == line


def test_the_cpu_is_the_last_resort_and_its_threads_are_told(machine):
    machine()
    line = choose().line()
    assert line.startswith("device: CPU (") and line.endswith("), fp32, 2 threads; neither CUDA nor MPS here")
    machine("cuda")
    assert choose(kind="cpu").line().endswith("; device=cpu")


def test_mps_gets_nothing_that_it_can_not_do(machine):
    """Batch norm's backward pass was wrong in channels_last there, and compiling is unreliable."""
    machine("mps")
    device = choose()
    assert (device.memory_format, device.compile, device.precision) == (torch.contiguous_format, False, "fp32")
    prepare_process(threads=1)
    assert os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"


def test_compiling_for_mps_is_refused(machine):
    machine("mps")
    with pytest.raises(BadInput, match=r"device\.compile=true: torch\.compile is unreliable on MPS"):
        choose(compile="true")
    assert choose(kind="cpu", compile="true").compile


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_kind_that_is_not_there_is_refused(machine, kind):
    machine()
    with pytest.raises(BadInput, match=rf"device={kind}: .*; this machine has: cpu. Use device=auto"):
        choose(kind=kind)


def test_precision_follows_the_chip(machine):
    machine("cuda", capability=(6, 1))
    assert choose().precision == "fp32"
    machine("cuda", capability=(7, 5))
    assert choose().precision == "fp16"
    with pytest.raises(BadInput, match="this GPU computes no bf16"):
        choose(precision="bf16")
    machine("cuda", capability=(8, 0))
    assert (choose().precision, choose(precision="fp32").precision) == ("bf16", "fp32")


def test_deterministic_sets_torchs_switches(machine):
    machine("cuda")
    choose()
    assert torch.backends.cudnn.benchmark and not torch.are_deterministic_algorithms_enabled()
    choose(deterministic=True)
    assert not torch.backends.cudnn.benchmark and torch.are_deterministic_algorithms_enabled()


def test_the_cores_are_shared_out_among_parallel_runs(monkeypatch):
    monkeypatch.setattr(devices, "cores", lambda: 8)
    assert [parallel_runs("cpu", threads) for threads in (None, 1, 2, 3, 16)] == [8, 8, 4, 2, 1]
    assert parallel_runs("mps", 1) == parallel_runs("cuda", None) == 1


def test_auto_becomes_the_kind_that_is_there_and_no_other_word_does(monkeypatch):
    monkeypatch.setattr(devices, "probe_kind", lambda: "mps")
    monkeypatch.setattr(devices, "kinds_here", lambda: {"cuda": False, "mps": True, "cpu": True})
    for kind_of in (devices.likely_kind, devices.best_kind):
        assert [kind_of(asked) for asked in ("auto", "cpu", "cuda")] == ["mps", "cpu", "cuda"]
    assert parallel_runs("auto", None) == 1
