"""On an NVIDIA GPU a run by CUDA graphs is the run that an eager loop does, for every optimizer and precision."""

from pathlib import Path

import pytest
import torch
from conftest import TINY, merged
from safetensors.torch import load_file

from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine.devices import Device, choose_device
from sweeper.engine.graphs import EAGER, PARTLY, WHOLE
from sweeper.engine.kernels.branches import Branches
from sweeper.engine.loop import Stopped, train
from sweeper.engine.training import build_training
from sweeper.runs.directory import RunDirectory
from sweeper.train.launchers.cuda_lane import Cuda

pytestmark = pytest.mark.cuda

OPTIMIZERS = ["sgd", "adam", "adamw", "lion", "muon", "rmsprop", "adagrad", "nadam", "radam", "adafactor"]
MORE = ["sam", "sophia", "soap", "adan", "lamb", "prodigy", "schedule_free_sgd", "schedule_free_adamw"]
TIMES = ("train_seconds", "images_per_second")
RECIPE = ("label_smoothing=0.1", "clip_grad_norm=0.5", "ema=0.9")
OFF = dict.fromkeys(("label_smoothing", "clip_grad_norm", "ema", "drop_last"))

USERS_CODE = '''
import torch
from torch import nn


class CountsOnTheHost(torch.optim.SGD):
    """Steps only every third time, by a number that a recording can't see change."""

    def __init__(self, params, lr, weight_decay=0.0):
        super().__init__(params, lr=lr, weight_decay=weight_decay)
        self.count = 0

    def step(self, closure=None):
        self.count += 1
        if self.count % 3 == 0:
            super().step(closure)


class Waits(torch.optim.SGD):
    def __init__(self, params, lr, weight_decay=0.0):
        super().__init__(params, lr=lr, weight_decay=weight_decay)

    def step(self, closure=None):
        norm = sum(p.grad.norm().item() for g in self.param_groups for p in g["params"])
        if norm > 0:
            super().step(closure)


class Looks(nn.Module):
    """Its way depends on what it computes."""

    def __init__(self, num_classes):
        super().__init__()
        self.a, self.b = nn.Linear(64, num_classes), nn.Linear(64, num_classes)

    def forward(self, images):
        x = images.flatten(1).float()
        return self.a(x) if x.mean().item() > 0 else self.b(x) + self.a(x)


def drops(num_classes):
    layers = nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, num_classes)
    return nn.Sequential(*layers)
'''


@pytest.fixture
def users_code(tmp_path, monkeypatch):
    (tmp_path / "users_code.py").write_text(USERS_CODE)
    monkeypatch.syspath_prepend(tmp_path)


def configure(*overrides: str) -> dict:
    tiny = [o for o in TINY if not o.startswith("device")]
    return compose_grid(merged(*tiny, "device=cuda", *overrides)).cells[0].config


def run(config: dict, path: Path, stop_after: int | None = None) -> tuple[list[dict], dict, dict]:
    """Rows, weights and facts of a run; or of its first steps, then stopped."""
    rows: list[dict] = []
    facts: dict = {}
    device = choose_device(config["device"], threads=1)
    config = {**config, "save_model": True}
    loop = train(config, load_run_data(config), device, RunDirectory(path), rows, lambda row: None, facts)
    for turns, turn in enumerate(loop, start=1):
        turn.wait()
        if turns == stop_after:
            with pytest.raises(Stopped):
                loop.throw(Stopped())
            return rows, {}, facts
    return (
        [{k: v for k, v in row.items() if k not in TIMES} for row in rows],
        load_file(path / "model.safetensors"),
        facts,
    )


def distance(a: dict, b: dict) -> float:
    """Relative, over all weights."""
    names = [name for name in a if a[name].is_floating_point()]
    difference = sum((a[name] - b[name]).square().sum().item() for name in names) ** 0.5
    return difference / sum(b[name].square().sum().item() for name in names) ** 0.5


@pytest.fixture
def torchs_first_layer(monkeypatch):
    """Our kernel for its gradient serves graphs alone and rounds elsewhere; it has tests of its own."""
    monkeypatch.setattr("sweeper.engine.kernels.convolution.suits", lambda conv, x: False)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_graphs_give_the_eager_loops_result(optimizer, precision, tmp_path, monkeypatch, torchs_first_layer):
    config = configure(
        f"optimizer={optimizer}", f"device.precision={precision}", "device.deterministic=true", "epochs=3"
    )
    rows, weights, facts = run(config, tmp_path / "graphs")
    monkeypatch.setattr(Device, "graphs", False)
    eager_rows, eager_weights, _ = run(config, tmp_path / "eager")
    print(optimizer, precision, facts["tier"], distance(weights, eager_weights))
    assert facts["tier"] in (WHOLE, PARTLY)
    if optimizer in ("sgd", "adam", "adamw", "lion", "muon"):
        assert facts["tier"] == WHOLE
    # Most are the same to the bit; RMSprop multiplies in another order when its lr is a tensor.
    assert distance(weights, eager_weights) < (0.03 if optimizer == "rmsprop" else 1e-6)
    for row, eager in zip(rows, eager_rows, strict=True):
        assert row["train_loss"] == pytest.approx(eager["train_loss"], rel=1e-2)
        assert row["lr"] == pytest.approx(eager["lr"], rel=1e-5)


@pytest.mark.parametrize(
    ("optimizer", "model"),
    [
        ("sgd", "sweeper.models.resnet18"),
        ("muon", "sweeper.models.resnet18"),
        ("sam", "sweeper.models.resnet18"),
        ("sgd", "benchmarks.made.torchvision_resnet18"),
    ],
)
def test_branches_of_the_graph_give_the_bits_of_one_chain(optimizer, model, tmp_path):
    images = ("dataset=cifar10", "dataset.loader=benchmarks.made.cifar10_shapes", "dataset.train_limit=2000")
    chosen = (f"optimizer={optimizer}", f"model._target_={model}", "epochs=3", "device=cuda")
    chosen = (*chosen, "device.deterministic=true")
    config = compose_grid(merged(*images, *chosen)).cells[0].config
    rows, weights, facts = run(config, tmp_path / "alone")
    with Cuda().place():  # a lane has no branches
        rows_in_turn, weights_in_turn, _ = run(config, tmp_path / "in turn")
    assert facts["tier"] == WHOLE and rows == rows_in_turn
    assert all(torch.equal(weights[name], weights_in_turn[name]) for name in weights)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", MORE)
def test_optimizers_of_other_packages_and_other_kinds_give_the_eager_loops_result(
    optimizer, precision, tmp_path, monkeypatch, torchs_first_layer
):
    if optimizer not in ("sam", "sophia"):
        pytest.importorskip("schedulefree" if optimizer.startswith("schedule_free") else "pytorch_optimizer")
    config = configure(
        f"optimizer={optimizer}", f"device.precision={precision}", "device.deterministic=true", "epochs=3"
    )
    rows, weights, facts = run(config, tmp_path / "graphs")
    monkeypatch.setattr(Device, "graphs", False)
    eager_rows, eager_weights, _ = run(config, tmp_path / "eager")
    print(optimizer, precision, facts["tier"], distance(weights, eager_weights))
    assert facts["tier"] == {"sam": WHOLE, "sophia": EAGER}.get(optimizer, facts["tier"])
    assert distance(weights, eager_weights) < 1e-3
    assert [row["lr"] for row in rows] == pytest.approx([row["lr"] for row in eager_rows], rel=1e-5)


@pytest.mark.parametrize(("optimizer", "tier"), [("CountsOnTheHost", PARTLY), ("Waits", PARTLY)])
def test_an_optimizer_that_needs_the_host_steps_eagerly(optimizer, tier, tmp_path, users_code, monkeypatch):
    config = configure("optimizer=sgd", "device.deterministic=true")
    config["optimizer"] = {"name": optimizer, "_target_": f"users_code.{optimizer}", "lr": 0.05, "weight_decay": 0.0}
    rows, weights, facts = run(config, tmp_path / "graphs")
    monkeypatch.setattr(Device, "graphs", False)
    eager_rows, eager_weights, _ = run(config, tmp_path / "eager")
    assert facts["tier"] == tier
    assert distance(weights, eager_weights) < 1e-3
    assert [row["lr"] for row in rows] == pytest.approx([row["lr"] for row in eager_rows])


def test_a_model_that_looks_at_its_data_runs_eagerly(tmp_path, users_code):
    config = configure("optimizer=adam")
    config["model"] = {"name": "looks", "_target_": "users_code.Looks"}
    assert run(config, tmp_path)[2]["tier"] == EAGER


def test_dropout_draws_the_same_in_a_graph(tmp_path, users_code, monkeypatch):
    config = configure("optimizer=adam", "device.deterministic=true", "device.precision=fp32")
    config["model"] = {"name": "drops", "_target_": "users_code.drops"}
    weights = run(config, tmp_path / "graphs")[1]
    monkeypatch.setattr(Device, "graphs", False)
    assert distance(weights, run(config, tmp_path / "eager")[1]) < 1e-3


@pytest.mark.parametrize("optimizer", ["sgd", "lion", "muon", "adafactor"])
def test_deterministic_is_bitwise_the_same_and_across_a_resume(optimizer, tmp_path):
    config = configure(f"optimizer={optimizer}", "device.deterministic=true", "noise=symmetric", "epochs=3")
    rows, weights, _ = run(config, tmp_path / "first")
    again, same, _ = run(config, tmp_path / "second")
    assert rows == again and all(torch.equal(weights[name], same[name]) for name in weights)
    for steps in (2, 4, 3):
        run(config, tmp_path / "stopped", stop_after=steps)
    resumed, same, _ = run(config, tmp_path / "stopped")
    assert rows == resumed and all(torch.equal(weights[name], same[name]) for name in weights)


def test_a_run_begun_on_the_cpu_goes_on_here_and_back(tmp_path):
    for optimizer in ("adamw", "sgd", "muon"):
        config = configure(f"optimizer={optimizer}", "epochs=3")
        on_cpu = {**config, "device": {**config["device"], "kind": "cpu"}}
        path = tmp_path / optimizer
        run(on_cpu, path, stop_after=3)
        run(config, path, stop_after=4)
        rows = run(on_cpu, path)[0]
        assert [row["epoch"] for row in rows] == [1, 2, 3] and rows[-1]["train_loss"] < rows[0]["train_loss"]


def test_the_short_last_batch_is_trained_and_validation_measured(tmp_path):
    rows, _, facts = run(configure("batch_size=64", "epochs=4", "dataset.validation_fraction=0.1"), tmp_path)
    assert rows[-1]["step"] == 20 and facts["tier"] == WHOLE  # 270 = 4 × 64 + 14
    assert rows[-1]["train_loss"] < rows[0]["train_loss"] and 0 <= rows[-1]["val_accuracy"] <= 1


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon", "rmsprop", "sam"])
def test_the_recipes_options_are_part_of_the_graph(optimizer, precision, tmp_path, monkeypatch, torchs_first_layer):
    if (optimizer, precision) == ("sam", "fp16"):
        pytest.skip("loss scaling is refused for it")
    config = configure(f"optimizer={optimizer}", f"device.precision={precision}", "device.deterministic=true", *RECIPE)
    config |= {"batch_size": 64, "epochs": 3}
    rows, weights, facts = run(config, tmp_path / "graphs")
    assert facts["tier"] == run({**config, **OFF}, tmp_path / "off")[2]["tier"]
    monkeypatch.setattr(Device, "graphs", False)
    eager_rows, eager_weights, _ = run(config, tmp_path / "eager")
    assert distance(weights, eager_weights) < (0.03 if optimizer == "rmsprop" else 1e-3)
    for row, eager in zip(rows, eager_rows, strict=True):
        assert row["train_loss"] == pytest.approx(eager["train_loss"], rel=1e-2)


@pytest.mark.parametrize("optimizer", ["sgd", "muon", "sam"])
def test_the_recipes_options_give_the_same_bits_in_a_lane_and_after_stops(optimizer, tmp_path):
    config = configure(f"optimizer={optimizer}", "device.deterministic=true", *RECIPE, "drop_last=true", "epochs=3")
    config |= {"batch_size": 64}
    rows, weights, _ = run(config, tmp_path / "alone")
    with Cuda().place():
        in_turn, same, _ = run(config, tmp_path / "in turn")
    assert rows == in_turn and all(torch.equal(weights[name], same[name]) for name in weights)
    for steps in (2, 4, 3):
        run(config, tmp_path / "stopped", stop_after=steps)
    resumed, same, _ = run(config, tmp_path / "stopped")
    assert rows == resumed and all(torch.equal(weights[name], same[name]) for name in weights)


def test_options_that_are_off_launch_no_kernel(tmp_path):
    """The kernels of a replayed step, by name and number, with and without each option."""

    def kernels(*overrides: str) -> int:
        config = configure("optimizer=sgd", "batch_size=64", "device.precision=fp32", *overrides)
        parts = build_training(config, load_run_data(config), choose_device(config["device"], threads=1))
        parts.order.draw(1, epoch=1)
        for _ in range(4):
            parts.run_step(64)
        torch.cuda.synchronize()
        with torch.profiler.profile(acc_events=True) as profile:
            parts.run_step(64)
            torch.cuda.synchronize()
        assert parts.tier == WHOLE
        return sum(event.count for event in profile.key_averages() if event.device_type.name == "CUDA")

    plain = kernels()
    assert kernels("label_smoothing=0", "drop_last=false") == kernels("drop_last=true") == plain
    assert kernels("clip_grad_norm=1") > plain and kernels("ema=0.9") > plain


def test_graphs_are_captured_again_when_runs_begin_to_take_turns_and_no_bit_changes(tmp_path, monkeypatch):
    config = configure("model=resnet20", "optimizer=sgd", "batch_size=64", "device.deterministic=true")

    def weights(*shared: bool) -> list[torch.Tensor]:
        parts = build_training(config, load_run_data(config), choose_device(config["device"], threads=1))
        parts.order.draw(1, epoch=1)
        for value in shared:
            monkeypatch.setattr(Branches, "shared", value)
            for _ in range(4):
                parts.run_step(64)
        assert parts.tier == WHOLE
        return [p.detach().clone() for p in parts.model.parameters()]

    alone, changing = weights(False, False, False), weights(False, True, False)
    assert all(map(torch.equal, alone, changing))
