"""CUDA > MPS > CPU, and what each kind must not do; the kinds that this machine lacks are simulated."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from conftest import TINY, merged
from torch import nn

from sweeper.engine import devices
from sweeper.engine.devices import Device, choose_device, place, prepare_process
from sweeper.system.errors import BadInput
from sweeper.system.machine import likely_kind, parallel_runs

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


def test_waiting_threads_of_a_users_choice_stay(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    prepare_process(threads=1)
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE" and "GOMP_SPINCOUNT" not in os.environ


def test_mps_gets_nothing_that_it_can_not_do(machine):
    """Batch norm's backward pass was wrong in channels_last there, and compiling is unreliable."""
    machine("mps")
    device = choose()
    assert (device.memory_format, device.compile, device.precision) == (torch.contiguous_format, False, "fp32")
    prepare_process(threads=1)
    assert os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other builds of torch have another OpenMP, or none")
@pytest.mark.parametrize(("users", "spins"), [(None, "1000"), ("PASSIVE", "0"), ("ACTIVE", "30000000000")])
def test_waiting_threads_soon_release_their_core_unless_the_user_says_otherwise(users, spins, tmp_path):
    """As torch's own OpenMP reports when the command loads it; without a policy it spins 300,000 times."""
    code = f"""
import os, sys
for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
    os.environ.pop(name, None)
os.environ |= {{"OMP_DISPLAY_ENV": "verbose"}} | {{"OMP_WAIT_POLICY": users for users in [{users!r}] if users}}
sys.argv = ["train.py", *{merged(*TINY, "model=mlp", "epochs=1")}]
from sweeper.train.command import main
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)[0] == spins


UNSAFE = nn.Conv2d(7, 8, 1, stride=2)


@pytest.mark.parametrize(
    ("layer", "contiguous"),
    [
        (UNSAFE, True),
        (nn.Conv2d(2, 8, 1, stride=(1, 2)), True),
        (nn.Conv2d(8, 8, 1, stride=2), False),
        (nn.Conv2d(4, 8, 1), False),
        (nn.Conv2d(4, 8, 3, stride=2), False),
        (nn.Conv2d(4, 8, 1, stride=2, groups=2), False),
    ],
)
def test_a_model_is_laid_out_contiguously_where_the_cpus_library_computes_wrong_gradients(layer, contiguous):
    device = choose(kind="cpu")
    model, placed = place(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(layer)), device)
    order = torch.contiguous_format if contiguous else torch.channels_last
    assert placed.memory_format is order and placed == replace(device, contiguous=contiguous)
    assert model[0].weight.is_contiguous(memory_format=order)


def test_other_devices_keep_their_layout_for_any_model(monkeypatch):
    monkeypatch.setattr(Device, "torch_device", torch.device("cpu"))
    for kind in ("cuda", "mps"):
        device = replace(choose(kind="cpu"), kind=kind)
        assert place(UNSAFE, device) == (UNSAFE, device)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_of_thin_convolutions_are_right_on_a_cpu_without_avx512(threads):
    """In a process of its own: oneDNN crashes or hangs there in the order that `place` avoids."""
    code = f"""
import copy, torch
from sweeper.engine.devices import choose_device, place
torch.set_num_threads({threads})
device = choose_device(dict(kind="cpu", precision="auto", compile="false", deterministic=False), {threads})
for stride in (1, 2, (1, 2)):
    for channels in range(1, 17):
        layer = torch.nn.Conv2d(channels, 8, 1, stride, bias=False)
        x = torch.rand(32, channels, 16, 16)
        exact = copy.deepcopy(layer).double()
        exact(x.double()).square().sum().backward()
        layer, placed = place(layer, device)
        layer(x.contiguous(memory_format=placed.memory_format)).square().sum().backward()
        torch.testing.assert_close(layer.weight.grad.double(), exact.weight.grad, rtol=1e-4, atol=1e-4)
"""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)


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
    with pytest.raises(BadInput, match="this GPU doesn't support bf16"):
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
    monkeypatch.setattr("sweeper.system.machine.cores", lambda: 8)
    assert [parallel_runs("cpu", threads) for threads in (None, 1, 2, 3, 16)] == [8, 8, 4, 2, 1]
    assert parallel_runs("mps", 1) == parallel_runs("cuda", None) == 1


def test_auto_becomes_the_kind_that_is_there_and_no_other_word_does(monkeypatch):
    monkeypatch.setattr("sweeper.system.machine.probe_kind", lambda: "mps")
    monkeypatch.setattr(devices, "kinds_here", lambda: {"cuda": False, "mps": True, "cpu": True})
    for kind_of in (likely_kind, devices.best_kind):
        assert [kind_of(asked) for asked in ("auto", "cpu", "cuda")] == ["mps", "cpu", "cuda"]
    assert parallel_runs("auto", None) == 1
