"""Made images of CIFAR-10's shapes, so that a benchmark needs no download: a loader for `dataset.loader`."""

from typing import Any

import numpy as np

from sweeper.data import RawData

TRAIN, TEST, CLASSES = 50_000, 10_000, 10


def cifar10_shapes(dataset: dict[str, Any]) -> RawData:
    """Random bytes with random labels, always the same; as many as the data set's limits, or CIFAR-10's numbers."""
    random_numbers = np.random.default_rng(0)
    sizes = dataset["train_limit"] or TRAIN, dataset["test_limit"] or TEST
    images = [random_numbers.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8) for n in sizes]
    labels = [random_numbers.permutation(np.arange(n) % CLASSES) for n in sizes]
    classes = tuple(str(k) for k in range(CLASSES))
    return RawData(images[0], labels[0], images[1], labels[1], classes, form="made images", ordered=False)
