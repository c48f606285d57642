"""What a user brings to a benchmark: images of CIFAR-10's shapes for `dataset.loader`, a model for `model._target_`."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sweeper.datasets.raw import RawData

if TYPE_CHECKING:
    from torch import nn

TRAIN, TEST, CLASSES = 50_000, 10_000, 10


def cifar10_shapes(dataset: dict[str, Any]) -> RawData:
    """Random bytes with random labels, always the same; as many as the data set's limits, or CIFAR-10's numbers."""
    random_numbers = np.random.default_rng(0)
    sizes = dataset["train_limit"] or TRAIN, dataset["test_limit"] or TEST
    images = [random_numbers.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8) for n in sizes]
    labels = [random_numbers.permutation(np.arange(n) % CLASSES) for n in sizes]
    classes = tuple(str(k) for k in range(CLASSES))
    return RawData(images[0], labels[0], images[1], labels[1], classes, form="made images", ordered=False)


def torchvision_resnet18(num_classes: int, in_channels: int, width: int = 64) -> "nn.Module":
    """torchvision's ResNet-18 for small images: a 3×3 stem of stride 1 and no max-pool. Its width is 64."""
    from torch import nn
    from torchvision.models import resnet18

    if width != 64:
        raise ValueError(f"width={width}: torchvision's is 64")
    net = resnet18(num_classes=num_classes)
    net.conv1, net.maxpool = nn.Conv2d(in_channels, 64, 3, padding=1, bias=False), nn.Identity()
    return net
