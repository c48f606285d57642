"""What `sweeper.doctor` tries on a device, on the CPU and on a pretended MPS."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import REPOSITORY
from pretended_mps import MPS, pretended_mps

from sweeper.doctor import device_test as trial
from sweeper.engine.devices import Device, choose_device, kinds_here

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fp32():
    """The losses on the CPU in fp32."""
    return trial.learn(trial._configure("cpu", "fp32"))


def test_learning_falls_and_is_the_same_each_time(fp32):
    assert len(fp32) == 3 and fp32[2] < fp32[1] < fp32[0] and trial.learn(trial._configure("cpu", "fp32")) == fp32


def test_bf16_learns_nearly_the_same(fp32):
    bf16 = trial.learn(trial._configure("cpu", "bf16"))
    assert 0 < abs(fp32[0] - bf16[0]) / fp32[0] < 0.02


def test_the_cpus_gradients_are_those_of_float64_and_wrong_ones_are_found(monkeypatch):
    device = choose_device(trial._configure("cpu", "fp32")["device"], 1)
    right = trial.gradient_error(device)
    assert 0 < right < 1e-5

    class HalfAConvolution(torch.nn.Conv2d):
        """Its weight's gradient is half of what it should be in fp32, as from a wrong kernel."""

        def forward(self, x):
            weight = self.weight if x.dtype == torch.float64 else (self.weight + self.weight.detach()) / 2
            return self._conv_forward(x, weight, self.bias)

    monkeypatch.setattr(torch.nn, "Conv2d", HalfAConvolution)
    assert trial.gradient_error(device) == pytest.approx(0.5, rel=1e-3)
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", lambda x, labels: x.sum() * x.new_tensor(float("nan")))
    assert trial.gradient_error(device) == float("inf")


def test_a_run_that_diverges_tells_its_losses():
    config = trial._configure("cpu", "fp32", *trial.LEARN, "optimizer.lr=1e30")
    assert len(trial.learn(config)) == 1


def test_a_pretended_mps_agrees_with_the_cpu(monkeypatch, fp32):
    monkeypatch.setattr(
        Device, "torch_device", property(lambda self: MPS if self.kind == "mps" else torch.device("cpu"))
    )
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    monkeypatch.setattr("sweeper.engine.devices.kinds_here", lambda: {"cuda": False, "mps": True, "cpu": True})
    config = trial._configure("mps", "auto")
    assert choose_device(config["device"], 1).kind == "mps"
    with pretended_mps() as mps:
        losses = trial.learn(config)
    # Images lie otherwise there, so sums are rounded otherwise, and training lets such differences grow.
    assert losses[0] == pytest.approx(fp32[0], rel=1e-4) and losses[2] == pytest.approx(fp32[2], rel=0.05)
    assert mps.objections() == []


def test_every_kind_that_is_not_here_has_a_reason():
    found = trial.look()
    assert set(found) == {"cuda", "mps", "cpu"} and found["cpu"] is None
    assert all((reason is None) == kinds_here()[kind] for kind, reason in found.items())


def test_it_ends_with_the_doctor_and_leaves_no_folder_behind(tmp_path):
    """However the doctor ends, such as by SIGTERM of a scheduler."""
    ask = "from sweeper.doctor.command import ask; ask('cpu')"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen([sys.executable, "-c", ask], env=environment, stderr=subprocess.PIPE, text=True) as doctor:
        wait_until(lambda: list(tmp_path.glob("sweeper-doctor-*")))
        doctor.send_signal(signal.SIGTERM)
    wait_until(lambda: not list(tmp_path.glob("sweeper-doctor-*")))


def wait_until(holds):
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)
