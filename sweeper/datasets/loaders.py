"""Loaders of the published data sets. Each takes the `dataset` node and returns `RawData`."""

import contextlib
import importlib
import importlib.util
import logging
import math
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.datasets.facts import DOWNLOADS, download_command
from sweeper.datasets.image_folder import load_tree
from sweeper.datasets.raw import RawData, keyed_order, of_digits, refuse_image_size
from sweeper.system.errors import BadInput
from sweeper.system.files import remove_empty_folder
from sweeper.system.lock import Lock, Locked
from sweeper.system.text import counted

log = logging.getLogger("sweeper")


def digits(dataset: dict[str, Any]) -> RawData:
    """scikit-learn's 1,797 grayscale digits of 8x8 pixels; a fixed 20 % of each class is the test set."""
    refuse_image_size(dataset)
    table = _digits_table()
    images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = table[:, 64].astype(np.int64)
    is_test = np.zeros(len(labels), dtype=bool)
    for label in range(10):
        members = np.flatnonzero(labels == label)
        is_test[members[keyed_order(len(members), "digits", label)[: round(0.2 * len(members))]]] = True
    return of_digits(images, labels, is_test, "scikit-learn's digits")


def _digits_table() -> np.ndarray:
    """(1797, 65): 64 pixels from 0 to 16, then the label. Importing scikit-learn would take a second."""
    package = importlib.util.find_spec("sklearn")
    assert package is not None and package.origin is not None
    file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if file.is_file():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])


def cifar10(dataset: dict[str, Any]) -> RawData:
    """CIFAR-10 (Krizhevsky 2009), from torchvision's files or a tree of images."""
    return _cifar(dataset, "CIFAR10", "CIFAR-10", 10)


def cifar100(dataset: dict[str, Any]) -> RawData:
    """CIFAR-100 (Krizhevsky 2009) with its 100 fine labels, from torchvision's files or a tree of images."""
    return _cifar(dataset, "CIFAR100", "CIFAR-100", 100)


def mnist(dataset: dict[str, Any]) -> RawData:
    """MNIST (LeCun et al. 1998)."""
    return _published(dataset, "MNIST", "MNIST", "its four .gz files into {root}/MNIST/raw/")


def fashion_mnist(dataset: dict[str, Any]) -> RawData:
    """Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747)."""
    return _published(dataset, "FashionMNIST", "Fashion-MNIST", "its four .gz files into {root}/FashionMNIST/raw/")


def svhn(dataset: dict[str, Any]) -> RawData:
    """SVHN's cropped digits without its extra set (Netzer et al. 2011)."""
    return _published(dataset, "SVHN", "SVHN", "train_32x32.mat and test_32x32.mat into {root}/")


def _cifar(dataset: dict[str, Any], name: str, title: str, n_classes: int) -> RawData:
    """Load a tree of images if `dataset.root` has a folder train/, as Kaggle's archives have, else by torchvision."""
    if dataset["root"] is None or not (Path(dataset["root"]) / "train").is_dir():
        archive = f"cifar-{n_classes}-python.tar.gz"
        return _published(
            dataset,
            name,
            title,
            f"{archive} into {{root}}/, or set dataset.root to a tree train/<class>/*, test/<class>/*",
        )
    raw = load_tree(dataset, title, class_part=-2)
    if len(raw.classes) != n_classes:
        raise BadInput(
            f"dataset.root={dataset['root']}: {counted(len(raw.classes), 'class folder')}; {title} has {n_classes}"
        )
    counts = len(raw.train_labels), len(raw.test_labels)
    if counts != (50_000, 10_000):
        log.warning("%s: %d training and %d test images; %s has 50000 and 10000", raw.form, *counts, title)
    return raw


def _published(dataset: dict[str, Any], name: str, title: str, what_to_do: str) -> RawData:
    """One of torchvision's data sets, read from the root; downloaded if files are missing."""
    refuse_image_size(dataset)
    given = dataset["root"] or DOWNLOADS
    root = Path(given)
    importlib.import_module("torchvision")  # here, where one that is broken isn't taken for missing files
    try:
        train, test = _open(name, root, download=False)
    except MemoryError:
        raise
    except Exception:  # missing or damaged files raise many kinds of errors
        if (damaged := _find_damaged_idx(root / name / "raw")) is not None:
            raise BadInput(
                f"dataset={dataset['name']}: no usable files in {given}: {damaged}; remove it, and it is unpacked from "
                "its .gz or downloaded again"
            ) from None
        if not dataset.get("download", True):  # a check before training, which downloads them and says so
            raise BadInput(
                f"dataset={dataset['name']}: no complete files in {given}; {download_command()} downloads them"
            ) from None
        log.info("%s: no complete files in %s; downloading them", title, root)
        existed = root.exists()
        try:
            train, test = _download(name, root)
        except Exception as error:
            for folder in (root / name / "raw", root / name, root):
                with contextlib.suppress(OSError):  # not empty
                    if not existed:
                        remove_empty_folder(folder)
            reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")
            raise BadInput(
                f"dataset={dataset['name']}: no usable files in {given}, and no download ({reason}); put "
                f"{what_to_do.format(root=given)}"
            ) from error
    classes = tuple(getattr(train, "classes", map(str, range(10))))
    form = f"{title} from torchvision's files in {given}"
    return RawData(*_arrays(train), *_arrays(test), classes=classes, form=form, ordered=True)


def _find_damaged_idx(folder: Path) -> str | None:
    """The first of MNIST's files that isn't as long as its header says, and what is wrong; torchvision keeps it."""
    for path in sorted(folder.glob("*-ubyte")):
        if path.is_file():
            dimensions = 3 if "idx3" in path.name else 1
            with path.open("rb") as file:
                head = file.read(4 + 4 * dimensions)
            sizes = np.frombuffer(head[4 : len(head) // 4 * 4], ">u4").tolist()
            if head[:4] != bytes([0, 0, 8, dimensions]) or len(sizes) != dimensions:
                return f"{path} isn't an IDX file"
            if (length := path.stat().st_size) != (expected := len(head) + math.prod(sizes)):
                return f"{path} has {counted(length, 'byte')} instead of {expected:,}"
    return None


def _download(name: str, root: Path) -> tuple[Any, Any]:
    """Download by one process at a time: two that write the same archive would damage it."""
    while True:
        try:
            with Lock(root / ".download.lock"):
                return _open(name, root, download=True)
        except Locked:
            time.sleep(0.5)


def _open(name: str, root: Path, download: bool) -> tuple[Any, Any]:
    """torchvision's training and test set, with verified checksums."""
    import torchvision

    constructor = getattr(torchvision.datasets, name)
    splits: list[dict[str, Any]] = [{"train": True}, {"train": False}]
    if name == "SVHN":
        splits = [{"split": "train"}, {"split": "test"}]
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")  # NumPy 2.4.0 to 2.4.4 warn about pickles as old as CIFAR's
        train, test = (constructor(root, **split, download=download) for split in splits)
    return train, test


def _arrays(split: Any) -> tuple[np.ndarray, np.ndarray]:
    """(n, h, w, c) uint8 and (n,) int64 of one of torchvision's data sets."""
    images = np.asarray(split.data)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    elif images.shape[1] == 3:
        images = images.transpose(0, 2, 3, 1)
    labels = split.labels if hasattr(split, "labels") else split.targets
    return images, np.asarray(labels, dtype=np.int64)
