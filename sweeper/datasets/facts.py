"""Facts about the published data sets: number and shape of images, and the files that show that they are present.

For commands that run before a sweep: needs no torch and reads no images.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeper.system.command import called

MADE = "made images"  # used for timing if the data set isn't on this machine
DOWNLOADS = "data"  # the folder of torchvision's files, in the current folder, if dataset.root is null


@dataclass(frozen=True)
class Published:
    """A published data set.

    Attributes:
        images: the numbers of training and test images.
        shape: (channels, height, width).
        megabytes: the size of the download; 0 if a package contains the data, or they are generated.
        files: paths below the root; the data set is present if one of them exists.
    """

    images: tuple[int, int]
    shape: tuple[int, int, int]
    classes: int
    megabytes: int
    files: tuple[str, ...]


_MNIST_FILES = "raw/train-images-idx3-ubyte"
# By the loader's dotted path.
PUBLISHED = {
    "sweeper.datasets.digits": Published((1438, 359), (1, 8, 8), 10, 0, ()),
    "sweeper.datasets.mnist1d": Published((4000, 1000), (1, 1, 40), 10, 0, ()),
    "sweeper.datasets.cifar10": Published(
        (50_000, 10_000), (3, 32, 32), 10, 170, ("cifar-10-batches-py/data_batch_1", "train")
    ),
    "sweeper.datasets.cifar100": Published(
        (50_000, 10_000), (3, 32, 32), 100, 169, ("cifar-100-python/train", "train")
    ),
    "sweeper.datasets.mnist": Published((60_000, 10_000), (1, 28, 28), 10, 12, (f"MNIST/{_MNIST_FILES}",)),
    "sweeper.datasets.fashion_mnist": Published(
        (60_000, 10_000), (1, 28, 28), 10, 31, (f"FashionMNIST/{_MNIST_FILES}",)
    ),
    "sweeper.datasets.svhn": Published((73_257, 26_032), (3, 32, 32), 10, 246, ("train_32x32.mat",)),
}


def published_names() -> dict[str, str]:
    """The loaders of those that can be downloaded, by their names."""
    return {loader.rpartition(".")[2]: loader for loader, data in PUBLISHED.items() if data.files}


def download_command(*names: str) -> str:
    """How a user downloads these data sets, in the form in which this command was typed.

    >>> download_command("cifar10")
    'python -m sweeper.datasets cifar10'
    """
    return shlex.join([*called("datasets").split(), *names])


def is_present(dataset: dict[str, Any]) -> bool:
    """Whether the files of a `dataset` node are on this machine; assumed for data sets that aren't published ones."""
    published = PUBLISHED.get(dataset["loader"])
    if published is None or not published.files:
        return True
    root = Path(dataset["root"] or DOWNLOADS)
    return any((root / file).exists() or (root / f"{file}.gz").exists() for file in published.files)
