"""Fused blocks stand where a model has their pattern, ours and torchvision's alike, and nowhere else."""

import copy

import pytest
import torch
from networks import NETWORKS, SHAPE, bottlenecks, fused, images, made, timms
from torch import nn
from torch.nn import functional

from sweeper.engine.devices import Device
from sweeper.engine.fuse import Fused, forward_passes
from sweeper.models import resnet as models
from sweeper.models import zoo


def calls(net: Fused) -> list[str]:
    """All calls of layers in their order, with what was taken into them."""
    said = []
    for node in net.traced.graph.nodes:
        if node.op == "call_module":
            said.append(type(net.traced.get_submodule(node.target)).__name__)
        elif node.op == "call_function" and node.target.__module__.startswith("sweeper."):
            taken = ""
            if "batch_norm" in node.target.__name__:
                taken = " + residual" * (node.args[2] is not None) + " + relu" * node.args[3]
            said.append(node.target.__name__ + taken)
        elif node.op in ("call_function", "call_method"):
            said.append(getattr(node.target, "__name__", node.target))
    return [word for word in said if word != "getitem"]


BLOCK = [
    "Conv2d", "batch_norm + relu",
    "Conv2d", "batch_norm_for_two + residual + relu",
]  # fmt: skip
LARGER_BLOCK = [
    "aside",
    "Conv2d", "batch_norm + relu",
    "Conv2d", "join", "batch_norm_for_two + residual + relu",
]  # fmt: skip
RESNET18 = [
    "first_convolution", "batch_norm_for_two + relu",
    *BLOCK, *BLOCK,
    *LARGER_BLOCK, *BLOCK,
    *LARGER_BLOCK, *BLOCK,
    *LARGER_BLOCK, *BLOCK[:-1], "batch_norm + residual + relu",
]  # fmt: skip


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("resnet18", ["GlobalMeanPool", "Linear"]),
        ("torchvision_resnet18", ["AdaptiveAvgPool2d", "flatten", "Linear"]),
    ],
)
def test_our_resnet18_and_torchvisions_are_the_same_fused_calls(name, end, training):
    assert calls(fused(NETWORKS[name](), training)) == [*RESNET18, *end]


def test_the_second_name_is_the_shortcuts():
    """Which the backward kernel reads past the cache, as nobody reads it again."""
    nodes = fused(NETWORKS["resnet20"]()).traced.graph.nodes
    names = [node for node in nodes if getattr(node.target, "__name__", "") == "getitem"]
    readers = [[user.target for user in node.users] for node in names]
    assert len(names) == 18 and all(isinstance(conv, str) for (conv,) in readers[::2])
    assert {reader.__name__ for (reader,) in readers[1::2]} == {"aside", "batch_norm", "batch_norm_for_two"}


def test_other_networks_have_theirs():
    assert calls(fused(timms()))[:-3] == [*RESNET18[:2], *BLOCK, *LARGER_BLOCK, *BLOCK[:-1], RESNET18[-1]]
    assert calls(fused(models.cnn(10, 3, 16)))[:2] == ["first_convolution", "batch_norm + relu"]
    wide_block = ["batch_norm_for_two + relu", "Conv2d", "Conv2d", "batch_norm + relu", "Conv2d", "add"]
    wide = calls(fused(zoo.wide_resnet(10, 3, depth=10, widen_factor=2)))
    assert wide == ["first_convolution", *3 * wide_block, "batch_norm + relu", "GlobalMeanPool", "Linear"]
    for net in (bottlenecks(), models.resnet20(10, 3, 8), zoo.densenet(10, 3, 4, 2), zoo.mobilenet(10, 3, 0.25)):
        said = calls(fused(net))
        assert not {"BatchNorm2d", "ReLU", "relu", "Identity"} & set(said)
        norms = sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())
        asides = sum(word == "aside" for word in said)
        assert sum(word.startswith("batch_norm") for word in said) + asides == norms


def test_the_model_stays_as_it_was_built_and_shares_its_weights():
    net = made("resnet20")
    names, kinds = list(net.state_dict()), [type(module) for module in net.modules()]
    forward = fused(net)
    assert list(net.state_dict()) == names and [type(module) for module in net.modules()] == kinds
    assert {id(p) for p in forward.parameters()} == {id(p) for p in net.parameters()}
    copied = copy.deepcopy(net)
    with torch.no_grad():
        net.classifier.weight.zero_()
        assert torch.equal(forward(images()), net.classifier.bias.expand(4, -1))
        assert not torch.equal(copied(images()), net(images()))


class Block(nn.Module):
    """A convolution, a norm, and a class's own way behind them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.other = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)

    def forward(self, images):
        return self.behind(self.conv(images)).mean((2, 3))


class TwoReaders(Block):
    def behind(self, x):
        y = self.norm(x)
        return functional.relu(y) + y


class SumInTheShortcut(Block):
    def behind(self, x):
        x = self.other(x)
        shortcut = kept = x + 1
        shortcut.add_(self.norm(x))
        return functional.relu(shortcut) * kept


class Scaled(Block):
    def behind(self, x):
        return torch.add(self.norm(x), x, alpha=2).relu()


class Numbers(Block):
    def behind(self, x):
        return torch.relu(self.norm(x) + 1) + self.norm(x + x.shape[1])


class Multiplies(nn.Module):
    def forward(self, a, b):
        return a * b if a.sum() > 0 else b * a


class AModuleNamedAdd(Block):
    def __init__(self):
        super().__init__()
        self.add = Multiplies()

    def behind(self, x):
        return torch.relu(self.add(self.norm(x), self.other(x)))


class ANumberOfTheImages(Block):
    def behind(self, x):
        return torch.relu(self.norm(x) + x.shape[1])


class Broadcast(Block):
    def behind(self, x):
        return torch.relu(self.norm(x) + x.mean((2, 3), keepdim=True))


class TwiceTheSame(Block):
    def behind(self, x):
        y = self.norm(x)
        return torch.relu(y + y)


class TwiceInPlace(Block):
    def behind(self, x):
        y = self.norm(x)
        y = y.add_(y)
        return torch.relu(y)


class ChangedBefore(Block):
    """In evaluation, where that is allowed: what the norm has read is changed before the sum."""

    def behind(self, x):
        y = self.norm(x)
        return torch.relu(y + x.mul_(-1))


class ShortcutOfWhatIsChanged(Block):
    """Likewise: the shortcut reads what was changed."""

    def behind(self, x):
        x = self.other(x)
        y = functional.relu(x, inplace=True)
        return torch.relu(self.norm(y) + self.other(x))


BLOCKS = [TwoReaders, SumInTheShortcut, Scaled, Numbers, ANumberOfTheImages, Broadcast, TwiceTheSame, TwiceInPlace]
BLOCKS += [AModuleNamedAdd, ChangedBefore, ShortcutOfWhatIsChanged]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", BLOCKS)
def test_what_only_looks_like_the_pattern_gives_the_models_bits(kind, training):
    net = kind()
    if training and kind in (ChangedBefore, ShortcutOfWhatIsChanged):
        pytest.skip("torch itself refuses it")
    forward = fused(net, training)
    assert "BatchNorm2d" not in calls(forward)
    with torch.no_grad():
        assert torch.equal(forward(images()), net(images()))


def test_norms_of_other_classes_and_layers_with_hooks_are_left_alone():
    class OwnNorm(nn.BatchNorm2d):
        pass

    net = made("resnet20")
    net.stem.norm = OwnNorm(8)
    block = net.stages[1][0]
    block.norm1.register_forward_hook(lambda *_: None)
    block.shortcut.conv.register_forward_hook(lambda *_: None)
    said = calls(fused(net))
    assert said[:3] == ["Conv2d", "OwnNorm", "relu"] and said.count("BatchNorm2d") == 1 and said.count("aside") == 1


def test_only_cuda_gets_fused_blocks_and_not_beside_torch_compile():
    net = made("timm")
    for kind, compiling in (("cpu", False), ("mps", False), ("cuda", True)):
        device = Device(kind=kind, name="", precision="fp32", threads=1, compile=compiling, why="")
        passes = forward_passes(net, device, SHAPE)
        assert passes.training is net and passes.evaluation is net
