"""What MPS must not be given, shown without a Mac: none was available.

The engine's own loop trains on a pretended device (`pretended_mps.py`) with MPS's options: fp32, contiguous, not
compiled. Every operator that runs on it is recorded, from the data's way there over forward, loss, backward, optimizer,
metering and evaluation to checkpoint, resume and weights, for every optimizer, schedule, noise, augmentation and model
in `conf/`. Each must have an MPS kernel or a composite one in torch's own table; no tensor of an operator may be
float64, and none but a single number may lie on the host, except to be copied.

Not covered: whether a kernel's values are right; operators that a composite kernel calls inside, or that autograd
would choose on MPS alone; types of numbers that a kernel there refuses, float64 aside; bf16 and autocast; speed.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, merged
from pretended_mps import MPS, PretendedMps, has_mps_kernel, pretended_mps

from sweeper.config.grid import CONF, compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.datasets.raw import RawData
from sweeper.engine.devices import Device, choose_device
from sweeper.engine.loop import Stopped, train
from sweeper.runs.directory import RunDirectory
from tests.models.test_zoo import SMALL as SMALL_MODELS

pytestmark = pytest.mark.slow

# Four steps an epoch, the last one short.
SMALL = (*TINY, "dataset.train_limit=30", "dataset.test_limit=20", "batch_size=8", "dataset.validation_fraction=0.1")
COLORED = ("dataset=cifar10", f"dataset.loader={__name__}.colored_images", "model=cnn")

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def colored_images(dataset: dict) -> RawData:
    labels = np.arange(60) % 10
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    return RawData(images, labels, images, labels, CIFAR10, "made images", ordered=True)


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def configure(*overrides: str) -> dict:
    given = {word.partition("=")[0] for word in overrides}
    usual = [word for word in SMALL if word.partition("=")[0] not in given]
    return compose_grid(merged(*usual, *overrides)).cells[0].config


def train_on_pretended(config: dict, path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[PretendedMps, list[dict]]:
    """A run on the pretended device that is stopped after two steps and resumed; what it saw, and the rows."""
    monkeypatch.setattr(Device, "torch_device", property(lambda self: MPS))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    data, run = load_run_data(config), RunDirectory(path)
    device = dataclasses.replace(choose_device(config["device"], threads=1), kind="mps")
    assert (device.precision, device.memory_format, device.compile) == ("fp32", torch.contiguous_format, False)
    rows: list[dict] = []
    with pretended_mps() as mps:
        loop = train(config, data, device, run, [], lambda row: None, {})
        for _ in itertools.islice(loop, 2):
            pass
        with pytest.raises(Stopped):
            loop.throw(Stopped())
        for _ in train(config, data, device, run, rows, lambda row: None, {}):
            pass
    return mps, rows


@pytest.fixture
def objections_to(tmp_path, monkeypatch):
    """Trains what some overrides ask for on the pretended device; returns what real MPS would object to."""

    def objections(*overrides: str) -> list[str]:
        return train_on_pretended(configure(*overrides), tmp_path, monkeypatch)[0].objections()

    return objections


@pytest.mark.parametrize("optimizer", choices("optimizer"))
def test_every_optimizer_uses_only_what_mps_has(optimizer, objections_to):
    named = ["optimizer.name=Adagrad"] if optimizer == "any" else []
    assert objections_to(f"optimizer={optimizer}", *named) == []  # 8 steps: radam changes its rule at the 6th


@pytest.mark.parametrize("schedule", choices("schedule"))
def test_every_schedule_uses_only_what_mps_has(schedule, objections_to):
    assert objections_to(f"schedule={schedule}") == []


@pytest.mark.parametrize("noise", choices("noise"))
def test_every_noise_uses_only_what_mps_has(noise, objections_to, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("".join(f"{(k + k % 3) % 10}\n" for k in range(60)))
    assert (
        objections_to(*COLORED, "epochs=1", f"noise={noise}", *([f"noise.file={labels}"] if noise == "human" else []))
        == []
    )


@pytest.mark.parametrize("optimizer", ["sgd", "sam"])
def test_the_recipes_options_use_only_what_mps_has(optimizer, objections_to):
    recipe = ("label_smoothing=0.1", "clip_grad_norm=0.5", "ema=0.9", "drop_last=true", "noise=symmetric")
    assert objections_to(f"optimizer={optimizer}", *recipe) == []


@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("flip", ["false", "true"])
def test_every_augmentation_uses_only_what_mps_has(padding, flip, objections_to):
    assert objections_to(*COLORED, "epochs=1", f"dataset.crop_padding={padding}", f"dataset.flip={flip}") == []


@pytest.mark.parametrize("model", choices("model"))
def test_every_model_uses_only_what_mps_has(model, objections_to):
    small = [f"model.{name}={value}" for name, value in SMALL_MODELS.get(model, {"width": 8}).items()]
    assert objections_to(f"model={model}", *small, "optimizer=muon", "epochs=1") == []


def test_the_pretended_device_trains_as_the_cpu_does(tmp_path, monkeypatch):
    config = configure("optimizer=adamw", "noise=symmetric")
    on_cpu: list[dict] = []
    device = choose_device(config["device"], threads=1)
    for _ in train(config, load_run_data(config), device, RunDirectory(tmp_path / "cpu"), on_cpu, lambda row: None, {}):
        pass
    mps, pretended = train_on_pretended(config, tmp_path / "mps", monkeypatch)
    losses = [[row[f"{kind}_loss"] for row in rows for kind in ("train", "test")] for rows in (pretended, on_cpu)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)  # the CPU lays images otherwise, and so adds otherwise
    assert {"aten::convolution", "aten::native_batch_norm", "aten::convolution_backward"} <= mps.operators


class Planted(torch.optim.SGD):
    """An optimizer whose step also does what MPS can't."""

    def __init__(self, params, lr: float, plant: str) -> None:
        super().__init__(params, lr)
        self.plant = plant

    @torch.no_grad()
    def step(self, closure=None) -> None:
        weight = next(p for group in self.param_groups for p in group["params"] if p.dim() == 2)
        if self.plant == "kernel":
            torch.linalg.eigvals(weight @ weight.T)
        elif self.plant == "double":
            weight.double()
        elif self.plant == "double number":
            weight.mul_(torch.tensor(1.0, dtype=torch.float64, device=weight.device))
        else:
            weight.add_(torch.zeros(weight.shape))
        super().step()


@pytest.mark.parametrize(
    ("plant", "objection"),
    [
        ("kernel", "aten::linalg_eig has no MPS kernel"),
        ("double", "aten::_to_copy of float64"),
        ("double number", "aten::mul_.Tensor of float64"),
        ("host", "aten::add_.Tensor of tensors of two devices"),
    ],
)
def test_a_planted_offence_is_found(plant, objection, objections_to, tmp_path):
    folder = tmp_path / "conf" / "optimizer"
    folder.mkdir(parents=True)
    (folder / "planted.yaml").write_text(f"_target_: {__name__}.Planted\n_partial_: true\nlr: 0.1\nplant: {plant}\n")
    found = objections_to("optimizer=planted", "--config-dir", str(tmp_path / "conf"))
    assert objection in found


def test_the_table_tells_kernels_apart():
    assert has_mps_kernel("aten::add.Tensor")  # structured: delegates to add.out
    assert has_mps_kernel("aten::_to_copy")  # composite
    assert not has_mps_kernel("aten::linalg_eig")
    assert not has_mps_kernel("torchvision::nms")


def test_optimizers_take_no_grouped_path_on_mps_that_the_pretended_device_misses():
    from torch.utils._foreach_utils import _get_foreach_kernels_supported_devices

    assert "mps" not in _get_foreach_kernels_supported_devices()
