"""Random images in place of a published data set that isn't on this machine, to time training steps."""

from typing import Any

import numpy as np

from sweeper.datasets.facts import MADE, PUBLISHED
from sweeper.datasets.raw import RawData


def made_images(dataset: dict[str, Any]) -> RawData:
    """Random images and labels with the shapes of the data set of the loader `dataset.made_of`; as many as it has, or
    as the limits allow."""
    published = PUBLISHED[dataset["made_of"]]
    channels, height, width = published.shape
    numbers = np.random.default_rng(0)
    limits = dataset["train_limit"], dataset["test_limit"]
    sizes = [min(n, limit or n) for n, limit in zip(published.images, limits, strict=True)]
    images = [numbers.integers(0, 256, (n, height, width, channels), dtype=np.uint8) for n in sizes]
    labels = [numbers.permutation(np.arange(n) % published.classes) for n in sizes]
    classes = tuple(map(str, range(published.classes)))
    return RawData(images[0], labels[0], images[1], labels[1], classes, form=MADE, ordered=True)
