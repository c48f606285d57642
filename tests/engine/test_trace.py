"""A graph is taken only if it says all that a model's forward pass does; else the model, or a module in it, stays."""

import gc
import logging
import random
import weakref
from dataclasses import replace

import pytest
import torch
from networks import images, made
from torch import nn
from torch.utils.checkpoint import checkpoint

from sweeper.engine.devices import Device
from sweeper.engine.fuse import fuse
from sweeper.engine.trace import _Tracer, trace

CPU = Device(kind="cpu", name="", precision="fp32", threads=1, compile=False, why="")
SHAPE = (3, 8, 8)


class Net(nn.Module):
    """A convolution, then what is to be traced, then a linear layer."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.middle = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), middle
        self.classifier = nn.Linear(4, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.middle(self.norm(self.conv(images)))
        logits: torch.Tensor = self.classifier(x.mean((2, 3)))
        return logits


class OwnNorm(nn.BatchNorm2d):
    """As some libraries have it; its momentum may change while it trains."""

    def forward(self, x):
        y = nn.functional.batch_norm(x, self.running_mean, self.running_var, None, None, True, self.momentum, self.eps)
        return y.relu()


class Looks(nn.Module):
    def forward(self, x):
        return x if x.mean() > 0 else 2 * x


class OwnFunction(torch.autograd.Function):
    """Twice x; its backward pass gives something else than torch would."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, dy):
        return 3 * dy


class CallsOwnFunction(nn.Module):
    def forward(self, x):
        return OwnFunction.apply(x)


class StopsGradients(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        with torch.no_grad():
            y = self.conv(x)
        return x + y


class Checkpointed(nn.Module):
    def __init__(self, use_reentrant):
        super().__init__()
        self.conv, self.use_reentrant = nn.Conv2d(4, 4, 1), use_reentrant

    def forward(self, x):
        return checkpoint(self.conv, x, use_reentrant=self.use_reentrant)


class InFp32(nn.Module):
    def forward(self, x):
        with torch.autocast("cpu", enabled=False):
            return x.float() * 2


class Reassigns(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x):
        self.steps = self.steps + 1
        return x * self.steps


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x):
        self.steps.add_(1)
        return x


class CountsOnTheHost(nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return x


class AsksForItsClass(nn.Module):
    """What stands for a tensor in a trace isn't one."""

    def forward(self, x):
        return x.relu() if isinstance(x, torch.Tensor) else x


class DrawsOnTheHost(nn.Module):
    def forward(self, x):
        return x * random.uniform(0.5, 1.5)


class DrawsAConstant(nn.Module):
    def forward(self, x):
        return x * torch.rand(())


class Drops(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5, self.training)


def names(graph) -> set[str]:
    return {str(node.target) for node in graph.graph.nodes if node.op == "call_module"}


def test_a_model_is_traced_through_its_modules_over_its_own_weights():
    net = Net(nn.Sequential(nn.ReLU(), nn.Sequential(nn.Conv2d(4, 4, 1))))
    traced = trace(net, CPU, SHAPE)
    assert names(traced) == {"conv", "norm", "middle.0", "middle.1.0", "classifier"}
    assert {id(p) for p in traced.parameters()} == {id(p) for p in net.parameters()}
    assert traced.state_dict().keys() == net.state_dict().keys()


@pytest.mark.parametrize(
    ("middle", "precision"),
    [
        (Looks(), "fp32"),
        (CallsOwnFunction(), "fp32"),
        (StopsGradients(), "fp32"),
        (Checkpointed(use_reentrant=True), "fp32"),
        (Checkpointed(use_reentrant=False), "fp32"),
        (InFp32(), "bf16"),
        (DrawsAConstant(), "fp32"),
        (OwnNorm(4), "fp32"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_module_that_a_graph_cannot_tell_is_one_call_of_it(middle, precision):
    device = Device(kind="cpu", name="", precision=precision, threads=1, compile=False, why="")
    assert names(trace(Net(middle), device, SHAPE)) == {"conv", "norm", "middle", "classifier"}


def test_all_modules_of_such_a_class_are_found():
    net = Net(nn.Sequential(Looks(), nn.Sequential(Looks(), CallsOwnFunction())))
    assert {"middle.0", "middle.1.0", "middle.1.1"} <= names(trace(net, CPU, SHAPE))


@pytest.mark.parametrize(
    ("middle", "why"),
    [
        (AsksForItsClass(), "other numbers"),
        (Reassigns(), "other numbers"),
        (CountsOnTheHost(), "on the host"),
        (DrawsOnTheHost(), "on the host"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_graph_that_would_give_other_numbers_is_not_taken(middle, why, caplog):
    with caplog.at_level(logging.DEBUG, "sweeper"):
        assert trace(Net(middle), CPU, SHAPE) is None
    assert why in caplog.text


def test_a_model_that_looks_at_values_itself_stays_as_it_is(caplog):
    class Chooses(Net):
        def forward(self, images):
            return super().forward(images if images.mean() > 0 else -images)

    with caplog.at_level(logging.DEBUG, "sweeper"):
        assert trace(Chooses(nn.ReLU()), CPU, SHAPE) is None
    assert caplog.text.count("\n") == 1 and "without fused blocks" in caplog.text


def test_training_and_evaluation_have_graphs_of_their_own():
    net = Net(Drops())
    training, evaluation = trace(net.train(), CPU, SHAPE), trace(net.eval(), CPU, SHAPE)
    images = torch.randn(2, *SHAPE)
    assert torch.equal(evaluation(images), net(images)) and not torch.equal(training(images), training(images))


def test_a_module_with_hooks_is_called_as_a_whole():
    net = Net(nn.Sequential(nn.ReLU()))
    called = []
    net.middle.register_forward_hook(lambda *_: called.append("middle"))
    traced = trace(net, CPU, SHAPE)
    assert "middle" in names(traced) and "middle.0" not in names(traced)
    called.clear()
    traced(torch.randn(2, *SHAPE))
    assert called == ["middle"]
    net.register_forward_pre_hook(lambda *_: None)
    assert trace(net, CPU, SHAPE) is None


def test_a_buffer_that_the_forward_pass_changes_is_changed_by_the_graph():
    net = Net(Counts())
    traced = trace(net, CPU, SHAPE)
    for _ in range(3):
        traced(torch.randn(2, *SHAPE))
    assert int(net.middle.steps) == 3


def test_nothing_is_left_behind():
    net = Net(nn.Sequential(Counts(), nn.Dropout(0.5)))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert trace(net, CPU, SHAPE) is not None
    assert torch.equal(torch.get_rng_state(), state) and all(p.grad is None for p in net.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


@pytest.fixture
def traced(monkeypatch) -> list[nn.Module]:
    """The models that are traced, each time that one is; none is known yet."""
    found: list[nn.Module] = []
    monkeypatch.setattr("sweeper.engine.trace._known", {})
    original = _Tracer.trace
    monkeypatch.setattr(_Tracer, "trace", lambda self, root: (found.append(root), original(self, root))[1])
    return found


@pytest.mark.parametrize("name", ["resnet18", "torchvision"])
def test_a_second_model_of_the_same_construction_gets_the_graph_of_the_first(name, traced, monkeypatch):
    first, second = made(name, seed=0), made(name, seed=1)
    for training in (True, False):
        assert trace(first.train(training), CPU, SHAPE) is not None
    both = len(traced)
    reused = [trace(second.train(training), CPU, SHAPE) for training in (True, False)]
    assert len(traced) == both > 0
    monkeypatch.setattr("sweeper.engine.trace._known", {})
    for training, graph in zip((True, False), reused, strict=True):
        own = trace(second.train(training), CPU, SHAPE)
        assert graph.code == own.code and graph.training == own.training == training
        assert [id(p) for p in graph.parameters()] == [id(p) for p in own.parameters()]
        ours, theirs = fuse(graph), fuse(own)
        assert ours.code == theirs.code
        with torch.no_grad():
            assert torch.equal(ours.forward(images()), theirs.forward(images()))
    assert len(traced) == 2 * both


@pytest.mark.parametrize("change", ["shape", "precision", "construction", "class"])
def test_any_other_model_is_traced(change, traced):
    def build(eps: float = 1e-5) -> nn.Module:
        return Net(nn.ReLU()) if change == "class" else nn.Sequential(nn.BatchNorm2d(3, eps), nn.Flatten(2))

    assert trace(build(), CPU, SHAPE) is not None
    device = replace(CPU, precision="bf16") if change == "precision" else CPU
    other = build(1e-3) if change == "construction" else build()
    assert trace(other, device, (3, 9, 9) if change == "shape" else SHAPE) is not None
    assert len(traced) == 2


def test_a_known_graph_keeps_no_model_alive(traced):
    net = made("resnet20")
    reused = [fuse(trace(net, CPU, SHAPE)) for _ in range(2)]
    gone = weakref.ref(net.stem.conv.weight)
    del net, reused, traced[:]
    gc.collect()
    assert gone() is None
