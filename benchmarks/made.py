"""What a user brings to a benchmark: images of CIFAR-10's shapes for `dataset.loader`, a model for `model._target_`."""

from typing import TYPE_CHECKING, Any

from sweeper.datasets.raw import RawData
from sweeper.datasets.synthetic import made_images

if TYPE_CHECKING:
    from torch import nn


def cifar10_shapes(dataset: dict[str, Any]) -> RawData:
    """Random bytes with random labels, always the same; as many as the data set's limits, or CIFAR-10's numbers."""
    return made_images({**dataset, "made_of": "sweeper.datasets.cifar10"})


def torchvision_resnet18(num_classes: int, in_channels: int, width: int = 64) -> "nn.Module":
    """torchvision's ResNet-18 for small images: a 3×3 stem of stride 1 and no max-pool. Its width is 64."""
    from torch import nn
    from torchvision.models import resnet18

    if width != 64:
        raise ValueError(f"width={width}: torchvision's is 64")
    net = resnet18(num_classes=num_classes)
    net.conv1, net.maxpool = nn.Conv2d(in_channels, 64, 3, padding=1, bias=False), nn.Identity()
    return net
