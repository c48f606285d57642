"""The type that loaders of data sets return, and what several of them need."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeper.system.errors import BadInput
from sweeper.system.random_streams import numpy_stream


@dataclass(frozen=True, eq=False)  # one object is one set of arrays, for the caches that hold them
class RawData:
    """The whole published data set, as a loader returns it.

    A loader is any function that takes the `dataset` node; `dataset.loader` is its dotted path.
    """

    train_images: np.ndarray  # (n, h, w, c) uint8
    train_labels: np.ndarray  # (n,) int64, below len(classes)
    test_images: np.ndarray  # (n, h, w, c) uint8
    test_labels: np.ndarray  # (n,) int64
    classes: tuple[str, ...]
    form: str  # one line: what was read, and from where
    ordered: bool  # whether training images are in the published order, to which files of human labels refer
    files: str = ""  # one line: how many files were read, and which weren't


def of_digits(images: np.ndarray, labels: np.ndarray, is_test: np.ndarray, form: str) -> RawData:
    """A set of the classes 0 to 9, in no published order, of which the images of a mask, (n,) bool, are for testing."""
    train = images[~is_test], labels[~is_test]
    classes = tuple(map(str, range(10)))
    return RawData(*train, images[is_test], labels[is_test], classes, form, ordered=False)


def keyed_order(n: int, *key: object) -> np.ndarray:
    """A permutation of range(n), (n,) int64, that depends only on `key`, whatever NumPy's version."""
    return np.argsort(numpy_stream(*key).bit_generator.random_raw(n), kind="stable")


def refuse_image_size(dataset: dict[str, Any]) -> None:
    if dataset["image_size"] is not None:
        raise BadInput(
            f"dataset.image_size={dataset['image_size']}: dataset={dataset['name']} has a fixed size; only trees of "
            "images are resized"
        )
