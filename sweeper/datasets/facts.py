"""The published data sets: how many images of what shape, and by which files they are known to lie on this machine.

Without torch, and without reading an image: for what asks before a sweep.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

MADE = "made images"  # in the place of those that aren't here, where their values don't matter
DOWNLOADS = "data"  # below the current folder, where torchvision's files lie when dataset.root is null


@dataclass(frozen=True)
class Published:
    """
    Attributes:
        images: of the training and the test set.
        shape: (channels, height, width).
        megabytes: of the download; 0 for what is installed with a package.
        files: below the root, of which one must be there.
        torchvision: its class there.
    """

    images: tuple[int, int]
    shape: tuple[int, int, int]
    classes: int
    megabytes: int
    files: tuple[str, ...]
    torchvision: str = ""


_MNIST_FILES = "raw/train-images-idx3-ubyte"
# By the dotted path of the loader.
PUBLISHED = {
    "sweeper.datasets.digits": Published((1438, 359), (1, 8, 8), 10, 0, ()),
    "sweeper.datasets.cifar10": Published(
        (50_000, 10_000), (3, 32, 32), 10, 170, ("cifar-10-batches-py/data_batch_1", "train"), "CIFAR10"
    ),
    "sweeper.datasets.cifar100": Published(
        (50_000, 10_000), (3, 32, 32), 100, 169, ("cifar-100-python/train", "train"), "CIFAR100"
    ),
    "sweeper.datasets.mnist": Published((60_000, 10_000), (1, 28, 28), 10, 12, (f"MNIST/{_MNIST_FILES}",), "MNIST"),
    "sweeper.datasets.fashion_mnist": Published(
        (60_000, 10_000), (1, 28, 28), 10, 31, (f"FashionMNIST/{_MNIST_FILES}",), "FashionMNIST"
    ),
    "sweeper.datasets.svhn": Published((73_257, 26_032), (3, 32, 32), 10, 246, ("train_32x32.mat",), "SVHN"),
}


def is_present(dataset: dict[str, Any]) -> bool:
    """Whether the files of a `dataset` node are here; what is no published set is taken to be."""
    published = PUBLISHED.get(dataset["loader"])
    if published is None or not published.files:
        return True
    root = Path(dataset["root"] or DOWNLOADS).expanduser()
    return any((root / file).exists() or (root / f"{file}.gz").exists() for file in published.files)
