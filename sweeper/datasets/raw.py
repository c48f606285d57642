"""A data set as its loader returns it."""

from dataclasses import dataclass

import numpy as np

from sweeper.system.random_streams import numpy_stream


@dataclass(frozen=True, eq=False)  # one object is one set of arrays, for the caches that hold them
class RawData:
    """What a loader returns: the whole published data set.

    A loader is any function of the `dataset` node, named by its dotted path in `dataset.loader`.
    """

    train_images: np.ndarray  # (n, h, w, c) uint8
    train_labels: np.ndarray  # (n,) int64, below len(classes)
    test_images: np.ndarray  # (n, h, w, c) uint8
    test_labels: np.ndarray  # (n,) int64
    classes: tuple[str, ...]
    form: str  # one line: what was read, and from where
    ordered: bool  # in the published order, which files of human labels refer to


def keyed_order(n: int, *key: object) -> np.ndarray:
    """A permutation of range(n), (n,) int64, that belongs to `key`, whatever NumPy's version."""
    return np.argsort(numpy_stream(*key).bit_generator.random_raw(n), kind="stable")
