"""Networks with the patterns that fused blocks are for, ours and others'."""

import torch
from torch import nn

from benchmarks.made import torchvision_resnet18
from sweeper.engine.devices import Device
from sweeper.engine.fuse import Fused
from sweeper.engine.trace import trace
from sweeper.models import resnet as models
from sweeper.models import zoo

torch.set_num_threads(1)  # several wait for each other where other work keeps the cores busy

CPU = Device(kind="cpu", name="", precision="fp32", threads=1, compile=False, why="")
SHAPE = (3, 8, 8)


def resnet18(num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    return models.resnet18(num_classes, in_channels, width=64)


def bottlenecks() -> nn.Module:
    from torchvision.models.resnet import Bottleneck, ResNet

    net = ResNet(Bottleneck, [2, 1, 1, 1], num_classes=10, width_per_group=16)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    return net


class TimmsBlock(nn.Module):
    """A basic block as timm writes it: nothings in between, sums in place, a shortcut by a mean."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
        self.drop_block, self.act1, self.aa = nn.Identity(), nn.ReLU(inplace=True), nn.Identity()
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        self.act2 = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1:
            convolution = nn.Conv2d(before, after, 1, bias=False)
            self.downsample = nn.Sequential(nn.AvgPool2d(stride), convolution, nn.BatchNorm2d(after))

    def forward(self, x):
        shortcut = x
        x = self.aa(self.act1(self.drop_block(self.bn1(self.conv1(x)))))
        x = self.bn2(self.conv2(x))
        if self.downsample is not None:
            shortcut = self.downsample(shortcut)
        x += shortcut
        return self.act2(x)


def timms() -> nn.Module:
    stem = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)
    blocks = TimmsBlock(16, 16, 1), TimmsBlock(16, 32, 2), TimmsBlock(32, 32, 1)
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def small_torchvision() -> nn.Module:
    from torchvision.models.resnet import BasicBlock, ResNet

    net = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    return net


# None has a layer for which the CPU's library may crash in channels_last, see `place` in sweeper/engine/devices.py.
NETWORKS = {
    "resnet18": resnet18,
    "torchvision_resnet18": lambda: torchvision_resnet18(10, 3),
    "resnet20": lambda: models.resnet20(10, 3, width=8),
    "torchvision": small_torchvision,
    "bottlenecks": bottlenecks,
    "timm": timms,
    "wide": lambda: zoo.wide_resnet(10, 3, depth=10, widen_factor=2),
}


def made(name: str, seed: int = 0) -> nn.Module:
    """That network, with norms that aren't at 0 and 1."""
    torch.manual_seed(seed)
    net = NETWORKS[name]().to(memory_format=torch.channels_last)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return net


def fused(net: nn.Module, training: bool = True) -> Fused:
    traced = trace(net.train(training), CPU, SHAPE)
    assert traced is not None
    return Fused(traced)


def images(n: int = 4, shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    values = torch.randn(n, *shape, generator=torch.Generator().manual_seed(1))
    return values.contiguous(memory_format=torch.channels_last)
