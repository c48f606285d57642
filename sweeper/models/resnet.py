"""Networks for small images. Weights are initialized by torch's defaults, as in the code that the optimizers' values
come from.

Each function gets `num_classes` and, if it needs them, `in_channels`, `image_shape` and `image_size` from the data set;
its other options are in `conf/model/`. Each network maps images (n, in_channels, h, w) to logits (n, num_classes). A
`width` below 1 or a negative `depth` raises ValueError, since torch would build a network of width 0 that learns only
biases.
"""

import math
from collections import OrderedDict

import torch
from torch import nn
from torch.nn.functional import relu


def resnet18(num_classes: int, in_channels: int, width: int) -> nn.Module:
    """ResNet-18 for images of about 32×32: a 3×3 stem of stride 1 and no max-pool, otherwise arXiv 1512.03385, table 1.

    11,173,962 parameters for 10 classes, 3 channels and width 64.

    Args:
        width: channels of the first stage; each later one has twice as many.
    """
    check_least("width", width)
    return ResNet(num_classes, in_channels, widths=[width, 2 * width, 4 * width, 8 * width], blocks_per_stage=2)


def resnet20(num_classes: int, in_channels: int, width: int) -> nn.Module:
    """ResNet-20 of arXiv 1512.03385, section 4.2, with projection shortcuts (option B) where the shape changes.

    272,474 parameters for 10 classes, 3 channels and width 16; the paper's runs use option A, which has 2,752 fewer.
    """
    check_least("width", width)
    return ResNet(num_classes, in_channels, widths=[width, 2 * width, 4 * width], blocks_per_stage=3)


def cnn(num_classes: int, in_channels: int, width: int) -> nn.Module:
    """Three convolutions with batch norm, for images of 8×8 to 28×28.

    24,058 parameters for 10 classes, one channel and width 16.
    """
    check_least("width", width)
    return nn.Sequential(
        OrderedDict(
            stage1=ConvNormRelu(in_channels, width),
            stage2=ConvNormRelu(width, 2 * width),
            pool2=nn.MaxPool2d(2),
            stage3=ConvNormRelu(2 * width, 4 * width),
            pool3=GlobalMeanPool(),
            classifier=nn.Linear(4 * width, num_classes),
        )
    )


def cnn1d(num_classes: int, in_channels: int, width: int) -> nn.Module:
    """MNIST-1D's convolutional network (arXiv 2011.14439), for signals as images of one row; with batch norm, and the
    mean over all points before the classifier.

    4,285 parameters for 10 classes, one channel and width 25.

    Args:
        width: channels of each of the three convolutions.
    """
    check_least("width", width)
    return nn.Sequential(
        OrderedDict(
            signal=nn.Flatten(2),
            stage1=_conv_norm_relu_1d(in_channels, width, 5),
            stage2=_conv_norm_relu_1d(width, width, 3),
            stage3=_conv_norm_relu_1d(width, width, 3),
            pool=nn.AdaptiveAvgPool1d(1),
            flatten=nn.Flatten(),
            classifier=nn.Linear(width, num_classes),
        )
    )


def mlp(num_classes: int, image_shape: tuple[int, int, int], width: int, depth: int) -> nn.Module:
    """`depth` hidden layers of `width` units, each with layer norm, which lets one learning rate serve any depth."""
    check_least("width", width)
    check_least("depth", depth, 0)
    inputs = math.prod(image_shape)
    hidden = [_linear_norm_relu(inputs if k == 0 else width, width) for k in range(depth)]
    classifier = nn.Linear(width if hidden else inputs, num_classes)
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), hidden=nn.Sequential(*hidden), classifier=classifier))


class ResNet(nn.Module):
    """Stages of basic blocks; every stage but the first halves the image's side."""

    def __init__(self, num_classes: int, in_channels: int, widths: list[int], blocks_per_stage: int) -> None:
        super().__init__()
        self.stem = ConvNormRelu(in_channels, widths[0])
        self.stages = nn.Sequential()
        channels = widths[0]
        for k, width in enumerate(widths):
            first = BasicBlock(channels, width, stride=1 if k == 0 else 2)
            others = [BasicBlock(width, width, stride=1) for _ in range(blocks_per_stage - 1)]
            self.stages.append(nn.Sequential(first, *others))
            channels = width
        self.pool = GlobalMeanPool()
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.pool(self.stages(self.stem(images))))
        return logits


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut (arXiv 1512.03385, figure 2), with a 1×1 convolution if the shape changes."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), norm=nn.BatchNorm2d(out_channels)
                )
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = relu(self.norm1(self.conv1(x)), inplace=True)
        out = self.norm2(self.conv2(out))
        return relu(out + self.shortcut(x), inplace=True)


class ConvNormRelu(nn.Module):
    """A 3×3 convolution, batch norm and ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return relu(self.norm(self.conv(x)), inplace=True)


class GlobalMeanPool(nn.Module):
    """(n, c, h, w) to (n, c), for any h and w."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # This gives the gradient the activation's memory format. The gradient of mean((2, 3)) is always NCHW, and mixed
        # formats are slow on the CPU: ReLU's backward pass takes 20 times as long.
        if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
            return x.permute(0, 2, 3, 1).mean((1, 2))
        return x.mean((2, 3))


def _conv_norm_relu_1d(inputs: int, outputs: int, kernel_size: int) -> nn.Sequential:
    conv = nn.Conv1d(inputs, outputs, kernel_size, stride=2, padding=1, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm1d(outputs), relu=nn.ReLU(inplace=True)))


def _linear_norm_relu(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(linear=nn.Linear(inputs, outputs), norm=nn.LayerNorm(outputs), relu=nn.ReLU(inplace=True))
    )


def check_least(name: str, value: int, least: int = 1) -> None:
    if value < least:
        raise ValueError(f"{name}={value}: must be at least {least}")
