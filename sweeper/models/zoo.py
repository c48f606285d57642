"""Other networks for small images: a wide ResNet, and torchvision's DenseNet, MobileNetV2 and ViT, adapted.

As in `sweeper/models/resnet.py`, each maps images (n, in_channels, h, w) to logits (n, num_classes), and a value out of
its range raises ValueError. Functions import torchvision lazily, since that takes seconds.
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn.functional import relu

from sweeper.models.resnet import GlobalMeanPool, check_least


def wide_resnet(num_classes: int, in_channels: int, depth: int, widen_factor: int) -> nn.Module:
    """WRN-depth-widen_factor of arXiv 1605.07146, table 1, without dropout; norm and ReLU come before convolutions.

    36,479,194 parameters for 10 classes, 3 channels, depth 28 and widen factor 10.

    Args:
        depth: number of layers, 6n + 4 for n blocks per stage, at least 10.
        widen_factor: the first stage has 16 times as many channels; at least 1.
    """
    if depth < 10 or (depth - 4) % 6:
        raise ValueError(f"depth={depth}: must be 6n + 4, such as 16, 28 or 40")
    check_least("widen_factor", widen_factor)
    blocks = (depth - 4) // 6
    stages, channels = nn.Sequential(), 16
    for k in range(3):
        width = 16 * 2**k * widen_factor
        for j in range(blocks):
            stages.append(PreActivationBlock(channels, width, stride=2 if k > 0 and j == 0 else 1))
            channels = width
    return nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(in_channels, 16, 3, padding=1, bias=False),
            stages=stages,
            norm=nn.BatchNorm2d(channels),
            relu=nn.ReLU(inplace=True),
            pool=GlobalMeanPool(),
            classifier=nn.Linear(channels, num_classes),
        )
    )


def densenet(num_classes: int, in_channels: int, growth_rate: int, layers_per_stage: int) -> nn.Module:
    """DenseNet-BC of arXiv 1608.06993, section 3, with three stages and a 3×3 stem, as for CIFAR.

    769,162 parameters for 10 classes, 3 channels, growth rate 12 and 16 layers per stage (DenseNet-BC-100).

    Args:
        growth_rate: channels that each layer adds; at least 1.
        layers_per_stage: each has a 1×1 and a 3×3 convolution; at least 1.
    """
    check_least("growth_rate", growth_rate)
    check_least("layers_per_stage", layers_per_stage)
    from torchvision.models import DenseNet

    net = DenseNet(growth_rate, (layers_per_stage,) * 3, num_init_features=2 * growth_rate, num_classes=num_classes)
    net.features.conv0 = nn.Conv2d(in_channels, 2 * growth_rate, 3, padding=1, bias=False)
    for name in ("norm0", "relu0", "pool0"):
        delattr(net.features, name)
    return net


def mobilenet(num_classes: int, in_channels: int, width_multiplier: float) -> nn.Module:
    """MobileNetV2 of arXiv 1801.04381, table 2, with stride 1 in the stem and the second stage.

    2,236,682 parameters for 10 classes, 3 channels and width multiplier 1.

    Args:
        width_multiplier: factor on all numbers of channels; above 0.
    """
    if not width_multiplier > 0:
        raise ValueError(f"width_multiplier={width_multiplier}: must be above 0")
    from torchvision.models import MobileNetV2

    stages = [[1, 16, 1, 1], [6, 24, 2, 1], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]]
    net = MobileNetV2(num_classes, width_multiplier, inverted_residual_setting=stages, dropout=0.0)
    first = net.features[0][0]
    net.features[0][0] = nn.Conv2d(in_channels, first.out_channels, 3, stride=1, padding=1, bias=False)
    return net


def vit_tiny(num_classes: int, in_channels: int, image_size: int, patch_size: int, width: int, depth: int) -> nn.Module:
    """A vision transformer (arXiv 2010.11929) with the size of DeiT-Ti (arXiv 2012.12877), for square images.

    5,362,762 parameters for 10 classes, images of 3×32×32, patches of 4, width 192 and depth 12.

    Args:
        patch_size: side of a patch; must divide the image's side.
        width: dimension of a token, at least 1; each head has 64.
        depth: number of layers, at least 1.
    """
    if patch_size < 1 or image_size % patch_size:
        raise ValueError(f"patch_size={patch_size}: must divide the image's side, {image_size}")
    check_least("width", width)
    check_least("depth", depth)
    from torchvision.models import VisionTransformer

    heads = max(1, width // 64)
    if width % heads:
        raise ValueError(f"width={width}: must be a multiple of its {heads} heads")
    net = VisionTransformer(image_size, patch_size, depth, heads, width, 4 * width, num_classes=num_classes)
    if in_channels != 3:
        net.conv_proj = nn.Conv2d(in_channels, width, patch_size, patch_size)
    nn.init.trunc_normal_(net.heads.head.weight, std=0.02)  # torchvision's is 0, for fine-tuning
    return net


class PreActivationBlock(nn.Module):
    """Twice batch norm, ReLU and a 3×3 convolution, with a shortcut (arXiv 1605.07146, figure 1b)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = relu(self.norm1(x), inplace=True)
        shortcut = x if self.shortcut is None else self.shortcut(out)
        out = relu(self.norm2(self.conv1(out)), inplace=True)
        y: torch.Tensor = self.conv2(out) + shortcut
        return y
