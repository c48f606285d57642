"""Kernels make the step of our Lion and Muon, and of no other optimizer; a run on a GPU is the same with them."""

import copy
import warnings

import pytest
import torch
from conftest import TINY
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.engine.devices import choose_device
from sweeper.engine.graphs import WHOLE
from sweeper.engine.kernels import optimizer_step
from sweeper.engine.kernels.optimizer_step import FusedStep, fused_step
from sweeper.engine.training import Training, build_training
from sweeper.optimizers import Lion
from tests.engine.test_graphs import configure, run
from tests.optimizers.test_muon import muon

RESNET = ["dataset=cifar10", "dataset.loader=benchmarks.made.cifar10_shapes", "dataset.train_limit=2000", "epochs=3"]


class OwnStep(Lion):
    def step(self, closure=None):
        return super().step(closure)


def lion(params, kind=Lion, **options):
    return kind(params, **{"lr": 0.1, "betas": [0.9, 0.99], "weight_decay": 0.0, **options})


def weights(dtype=torch.float32) -> list[nn.Parameter]:
    params = [nn.Parameter(torch.ones(4, 3, dtype=dtype)), nn.Parameter(torch.ones(5, dtype=dtype))]
    for p in params:
        p.grad = torch.ones_like(p)
    return params


@pytest.fixture
def everywhere(monkeypatch):
    """As if the kernels ran on every device. They only count their calls."""
    calls = []

    class Counted(optimizer_step.Group):
        def step(self):
            calls.append(self)

    monkeypatch.setattr(optimizer_step, "triton_serves", lambda device: True)
    monkeypatch.setattr(optimizer_step, "build_groups", lambda o: [Counted(o, k) for k in range(len(o.param_groups))])
    return calls


def test_lion_and_muon_are_stepped_by_kernels(everywhere):
    for optimizer, groups in ((lion(weights()), 1), (muon(weights(), 1), 2)):
        step, before = fused_step(optimizer), copy.deepcopy(optimizer.param_groups)
        everywhere.clear()
        step()
        assert len(everywhere) == groups and optimizer.param_groups[0]["params"][0].equal(before[0]["params"][0])


@pytest.mark.parametrize(
    "build",
    [
        lambda: torch.optim.SGD(weights(), lr=0.1),
        lambda: lion(weights(), OwnStep),
        lambda: lion(weights(torch.float64)),
        lambda: muon(weights(torch.bfloat16), 1),
    ],
    ids=["another optimizer", "a step of its own", "double", "bfloat16"],
)
def test_others_step_by_themselves(build, everywhere):
    assert fused_step(build()) is None


def test_a_replaced_step_is_called(everywhere):
    optimizer, called = lion(weights()), []
    step = fused_step(optimizer)
    optimizer.step = lambda: called.append(1)
    step()
    assert called and not everywhere and fused_step(optimizer) is None


def test_without_a_gpu_there_are_no_kernels():
    assert fused_step(lion(weights())) is None


def add_hook_before(optimizer):
    optimizer.register_step_pre_hook(lambda *_: None)


def add_hook_after(optimizer):
    optimizer.register_step_post_hook(lambda *_: None)


def add_group(optimizer):
    optimizer.add_param_group({"params": weights()})


def drop_gradient(optimizer):
    optimizer.param_groups[0]["params"][0].grad = None


@pytest.mark.parametrize("change", [add_hook_before, add_hook_after, add_group, drop_gradient])
def test_what_kernels_do_not_do_is_a_step_of_the_optimizers_own(change, everywhere):
    optimizer = lion(weights())
    step = fused_step(optimizer)
    change(optimizer)
    step()
    assert not everywhere and optimizer.state[optimizer.param_groups[0]["params"][-1]]


def test_a_schedule_does_not_warn_of_a_step_by_kernels(everywhere):
    optimizer = lion(weights())
    schedule = LambdaLR(optimizer, lambda k: 1.0)
    step = fused_step(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step()
        schedule.step()
    assert everywhere


def test_a_training_step_calls_the_kernels(monkeypatch):
    calls = []
    monkeypatch.setattr("sweeper.engine.step.fused_step", lambda optimizer: lambda: calls.append(optimizer))
    config = compose_grid([*TINY, "optimizer=lion"]).cells[0].config
    parts = build_training(config, load_run_data(config), choose_device(config["device"], threads=1))
    parts.order.draw(config["seed"], epoch=1)
    before = [p.detach().clone() for p in parts.model.parameters()]
    parts.step.run(8)
    parts.step.run_alone(8)
    assert calls == 2 * [parts.optimizer] and all(map(torch.equal, before, parts.model.parameters()))


def train_steps(optimizer: str, count: int) -> Training:
    """ResNet-18 after some steps of 128 images, by a graph from the second on."""
    config = (
        compose_grid([*RESNET, f"optimizer={optimizer}", "device=cuda", "device.deterministic=true"]).cells[0].config
    )
    parts = build_training(config, load_run_data(config), choose_device(config["device"], threads=1))
    parts.order.draw(config["seed"], epoch=1)
    parts.model.train()
    for _ in range(count):
        parts.run_step(128)
    return parts


@pytest.mark.cuda
@pytest.mark.parametrize("optimizer", ["lion", "muon"])
def test_a_step_by_kernels_is_the_textbooks_and_a_graph_repeats_it(optimizer):
    parts = train_steps(optimizer, 3)
    assert parts.tier == WHOLE and isinstance(parts.step.fused_step, FusedStep)
    parts.step.differentiate(128)
    one = parts.optimizer
    tensors = [*parts.model.parameters(), *(t for of in one.state.values() for t in of.values())]
    before = [t.detach().clone() for t in tensors]
    ends = []
    for step in (parts.step.fused_step, one.step, parts.step.fused_step):
        with torch.no_grad():
            torch._foreach_copy_(tensors, before)
        step()
        ends.append([t.detach().clone() for t in tensors])
    ours, textbooks, again = ends
    assert all(map(torch.equal, ours, again))
    count = len(list(parts.model.parameters()))
    torch.testing.assert_close(ours[count:], textbooks[count:], rtol=1e-5, atol=1e-8)  # the state
    # Lion's sign may differ where the interpolated momentum is 0 but for rounding. Muon rounds a matrix of norm 1 to
    # bf16, and five iterations multiply that by up to 3.4445⁵ where a singular value is small: by 2 · 2⁻⁹ · 485 = 1.9,
    # of an update whose norm is up to 22.
    bound = {"lion": 0.06, "muon": 0.3}[optimizer]
    for a, b, old in zip(ours[:count], textbooks[:count], before[:count], strict=True):
        assert (a - b).norm() <= bound * (b - old).norm(), (a.shape, (a - b).norm() / (b - old).norm())


@pytest.mark.cuda
@pytest.mark.parametrize("optimizer", ["lion", "muon"])
def test_training_by_kernels_has_the_bits_of_its_repetition_and_the_state_of_the_textbooks(optimizer, monkeypatch):
    first, second = (train_steps(optimizer, 6) for _ in range(2))
    assert all(map(torch.equal, first.model.state_dict().values(), second.model.state_dict().values()))
    monkeypatch.setattr("sweeper.engine.step.fused_step", lambda optimizer: None)
    textbook = train_steps(optimizer, 6)
    ours, theirs = (parts.optimizer.state_dict()["state"] for parts in (first, textbook))
    assert [(k, name, t.shape, t.dtype, t.stride()) for k, of in ours.items() for name, t in of.items()] == [
        (k, name, t.shape, t.dtype, t.stride()) for k, of in theirs.items() for name, t in of.items()
    ]


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("optimizer", ["lion", "muon"])
def test_a_run_with_kernels_ends_where_the_textbooks_does(optimizer, precision, tmp_path, monkeypatch):
    config = configure(f"optimizer={optimizer}", f"device.precision={precision}", "epochs=5")
    rows, _, facts = run(config, tmp_path / "kernels")
    monkeypatch.setattr("sweeper.engine.step.fused_step", lambda optimizer: None)
    textbooks, _, _ = run(config, tmp_path / "textbook")
    assert facts["tier"] == WHOLE
    assert rows[-1]["train_loss"] == pytest.approx(textbooks[-1]["train_loss"], rel=0.1)
    assert rows[-1]["test_accuracy"] == pytest.approx(textbooks[-1]["test_accuracy"], abs=0.1)
