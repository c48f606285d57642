"""Weight gradients reach every use of a weight. Beside the main chain: in tests/engine/test_graphs.py, on a GPU."""

import copy

import torch
from torch import nn
from torch.nn import functional

from sweeper.engine.kernels.branches import Branches, aside, join
from sweeper.engine.low_precision import LowPrecisionWeights


class Net(nn.Module):
    """Convolutions of many kinds, one of them used twice, one with a bias, one that isn't trained."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.strided = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.grouped = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2, bias=False)
        self.twice = nn.Conv2d(8, 8, 1, bias=False)
        self.frozen = nn.Conv2d(8, 8, 1, bias=False).requires_grad_(False)
        self.same = nn.Conv2d(8, 8, 3, padding="same", bias=False)
        self.biased = nn.Conv2d(8, 4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.grouped(self.strided(x)).relu()
        x = self.same(self.frozen(self.twice(self.twice(x).relu())))
        logits: torch.Tensor = self.biased(x).flatten(1)
        return logits


IMAGES, LABELS = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1)), torch.arange(6) % 4


def gradients(net: nn.Module, forward) -> dict[str, torch.Tensor]:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = forward(IMAGES)
    functional.cross_entropy(logits.float(), LABELS).backward()
    if isinstance(forward, LowPrecisionWeights):
        forward.move_gradients()
    return {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


def test_each_use_of_each_weight_counts():
    theirs, net = Net(), Net()
    expected, ours = gradients(theirs, theirs), gradients(net, LowPrecisionWeights(net, torch.bfloat16))
    assert list(ours) == list(expected) and len(ours) == 6
    for name in expected:
        # Twice used, torch adds both gradients in bf16 and we in fp32.
        torch.testing.assert_close(ours[name], expected[name], rtol=0.02, atol=1e-3 if name == "twice.weight" else 0)
        assert name == "twice.weight" or torch.equal(ours[name], expected[name])


def test_a_weight_gradient_comes_by_collect_and_no_other_way():
    net = nn.Conv2d(3, 4, 3, bias=False)
    branches = Branches({id(net.weight): net.weight}, beside=False)
    with branches:
        net(IMAGES).sum().backward()
    assert net.weight.grad is None
    ((owner, gradient),) = branches.collect()
    (expected,) = torch.autograd.grad(net(IMAGES).sum(), net.weight)
    assert owner is net.weight and torch.equal(gradient, expected) and branches.collect() == []


def test_what_an_error_left_is_dropped():
    net = nn.Conv2d(3, 4, 3, bias=False)
    branches = Branches({id(net.weight): net.weight}, beside=False)
    with branches:
        net(IMAGES).sum().backward()
    with branches:
        net(2 * IMAGES).sum().backward()
    assert len(branches.collect()) == 1 and Branches.entered is None


def test_what_is_begun_aside_is_the_modules_one_after_another():
    way = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8))
    twin = copy.deepcopy(way)
    with Branches({}, beside=False):
        y = join(aside(IMAGES, *way))
    assert torch.equal(y, twin(IMAGES))
    assert all(torch.equal(a, b) for a, b in zip(way.buffers(), twin.buffers(), strict=True))
