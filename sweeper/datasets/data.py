"""A data set as uint8 tensors in a canonical order, which doesn't depend on its files; its splits and limits."""

import functools
import hashlib
import importlib
import inspect
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from sweeper.datasets.noise import corrupt_labels
from sweeper.datasets.raw import RawData
from sweeper.datasets.splits import hold_out_test, hold_out_validation, limit
from sweeper.runs.identity import FILE_DIGEST, NAMES_OF_TODAY
from sweeper.system.errors import OF_USERS_CODE, BadInput, nearest, one_line

CHUNK = 2000  # images hashed or summed at a time, to avoid a second copy of the data set


@dataclass(frozen=True, eq=False)  # one object is one set of arrays, for the caches that hold them
class Split:
    images: torch.Tensor  # (n, c, h, w) uint8, contiguous, on the CPU
    labels: torch.Tensor  # (n,) int64


@dataclass(frozen=True, eq=False)  # one object is one set of arrays, for the caches that hold them
class Data:
    """The data of a run. `train.labels` contain the label noise; validation and test labels are the true ones."""

    train: Split
    val: Split | None
    test: Split
    corrupted: torch.Tensor | None  # (n_train,) bool: the label is wrong; None without noise
    true_labels: torch.Tensor  # (n_train,) int64
    train_index: torch.Tensor  # (n_train,) int64: index in the canonical order of the full training set
    classes: tuple[str, ...]
    mean: torch.Tensor  # (c,) float32, of the full training set's pixels in [0, 1]
    std: torch.Tensor  # (c,) float32
    digest: str  # SHA-256 of the full content in canonical order, whatever the files' format
    form: str  # one line: what was read, and from where
    files: str = ""  # one line: how many files were read, and which weren't; "" if no folders were searched

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(c, h, w) of every image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def corrupted_labels(self) -> list[tuple[int, int, int]] | None:
        """(index in the canonical order, true label, given label) of each image with a wrong label; None without
        noise."""
        if self.corrupted is None:
            return None
        wrong = self.corrupted.nonzero().flatten()
        columns = (labels[wrong].tolist() for labels in (self.train_index, self.true_labels, self.train.labels))
        return list(zip(*columns, strict=True))


def load_data(dataset: dict[str, Any], noise: dict[str, Any]) -> Data:
    """Load a data set, sort it into canonical order, choose the splits, and corrupt the training labels.

    The canonical order is by class, then by the image's bytes. Limits and the validation split depend on fixed keys,
    not on the run's seed, and are nested: `train_limit=2000` includes all images of `train_limit=1000`.

    Args:
        dataset: the node of the group `dataset`: `name`, `loader`, `train_limit`, `test_limit`, `validation_fraction`,
            `test_fraction` and the options of the loader.
        noise: the node of the group `noise`, see `sweeper.datasets.noise`.

    Raises:
        BadInput: the data can't be read, has only one class or an empty split, or training and test classes differ;
            or no images remain after limits and validation split.
    """
    raw = _with_test_images(_load(dataset), dataset)
    _check(raw, dataset["name"])
    order = canonical_order(raw.train_images, raw.train_labels)
    test_order = canonical_order(raw.test_images, raw.test_labels)
    chosen = limit(len(order), dataset, "train_limit")
    train_index, val_index = hold_out_validation(chosen, dataset["validation_fraction"])
    test_index = limit(len(test_order), dataset, "test_limit")
    train = order[train_index]
    val = order[val_index]
    true_labels = raw.train_labels[train]
    labels, corrupted = corrupt_labels(
        true_labels,
        noise,
        dataset["name"],
        raw.classes,
        original_index=train if raw.ordered else None,
        original_size=len(order),
    )
    mean, std = pixel_statistics(raw.train_images)
    return Data(
        train=_split(raw.train_images[train], labels),
        val=_split(raw.train_images[val], raw.train_labels[val]) if len(val) else None,
        test=_split(raw.test_images[test_order[test_index]], raw.test_labels[test_order[test_index]]),
        corrupted=None if corrupted is None else torch.from_numpy(corrupted),
        true_labels=torch.from_numpy(true_labels),
        train_index=torch.from_numpy(train_index),
        classes=raw.classes,
        mean=mean,
        std=std,
        digest=_digest(raw, order, test_order),
        form=raw.form,
        files=raw.files,
    )


def find_loader(path: str) -> Callable[[dict[str, Any]], RawData]:
    """The loader at a dotted path, in any installed package.

    Raises:
        BadInput: it can't be imported.
    """
    path = NAMES_OF_TODAY.get(path, path)
    module_name, _, name = path.rpartition(".")
    expected = "expected a function's path, e.g. package.module.f"
    if not module_name or module_name.startswith("."):
        raise BadInput(f"dataset.loader={path}: names no module; {expected}")
    try:
        module = importlib.import_module(module_name)
    except OF_USERS_CODE as error:
        if isinstance(error, ModuleNotFoundError) and error.name in _packages_and_module(module_name):
            raise BadInput(f"dataset.loader={path}: {one_line(error)}; {expected}") from error
        raise BadInput(f"dataset.loader={path}: importing {module_name} failed: {one_line(error)}") from error
    loader = getattr(module, name, None)
    if not callable(loader):
        functions = [f for f, _ in inspect.getmembers(module, inspect.isfunction) if not f.startswith("_")]
        raise BadInput(f"dataset.loader={path}: {module_name} has no function {name!r}; {nearest(name, functions)}")
    found: Callable[[dict[str, Any]], RawData] = loader
    return found


def _packages_and_module(name: str) -> list[str]:
    """`a.b.c` as a, a.b and a.b.c: if one of them isn't found, the module itself isn't, and not what it imports."""
    return list(itertools.accumulate(name.split("."), "{}.{}".format))


def _load(dataset: dict[str, Any]) -> RawData:
    """The validated result of the loader, with labels converted to int64."""
    where = f"dataset={dataset['name']}: {dataset['loader']}"
    loader = find_loader(dataset["loader"])
    try:
        raw = loader(dataset)
    except (BadInput, MemoryError):
        raise
    except OF_USERS_CODE as error:
        raise BadInput(f"{where}: {type(error).__name__}: {one_line(error)}") from error
    if not isinstance(raw, RawData):
        raise BadInput(f"{where} returned {type(raw).__name__}; it must return sweeper.datasets.RawData")
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        if not isinstance(values := getattr(raw, name), np.ndarray):
            raise BadInput(f"{where}: {name}: {type(values).__name__}; must be a NumPy array")
    for name in ("train_labels", "test_labels"):
        if (kind := getattr(raw, name).dtype).kind not in "iu":
            raise BadInput(f"{where}: {name}: {kind}; must be int64")
    if not isinstance(raw.classes, (tuple, list)):
        raise BadInput(f"{where}: classes={raw.classes!r}: must be a tuple of the classes' names")
    labels = {name: getattr(raw, name).astype(np.int64, copy=False) for name in ("train_labels", "test_labels")}
    return replace(raw, **labels, classes=tuple(raw.classes))


def _with_test_images(raw: RawData, dataset: dict[str, Any]) -> RawData:
    """Hold out test images by `dataset.test_fraction`, if it is given and the loader returns none."""
    name, fraction = dataset["name"], dataset.get("test_fraction")  # the configurations of earlier runs have none
    if fraction is None:
        return raw
    if len(raw.test_images):
        raise BadInput(f"dataset.test_fraction={fraction}: dataset={name} has its own test images; leave it out")
    _check_split(raw, name, "training", raw.train_images, raw.train_labels)
    return hold_out_test(raw, canonical_order(raw.train_images, raw.train_labels), fraction)


def canonical_order(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Indices (n,) int64 that sort by class, then by the image's bytes in (h, w, c) order; a stable sort."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    # NumPy compares fixed-length byte strings as unsigned bytes, null bytes included.
    return np.lexsort((rows.view(f"S{rows.shape[1]}").ravel(), labels))


def pixel_statistics(images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel, (c,) float32 in [0, 1], from exact integer sums."""
    mean, std = [], []
    for channel in range(images.shape[-1]):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(images), CHUNK):
            counts += np.bincount(images[start : start + CHUNK, ..., channel].ravel(), minlength=256)
        n = int(counts.sum())
        total = sum(value * int(count) for value, count in enumerate(counts))
        squares = sum(value * value * int(count) for value, count in enumerate(counts))
        mean.append(total / n / 255)
        # A constant channel has a deviation of 0; use 1, so that it becomes 0 instead of a division by zero.
        std.append(math.sqrt(n * squares - total * total) / n / 255 or 1.0)
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)


def _check(raw: RawData, name: str) -> None:
    """Validate the result of a loader."""
    _check_split(raw, name, "training", raw.train_images, raw.train_labels)
    _check_split(raw, name, "test", raw.test_images, raw.test_labels)
    if raw.train_images.shape[1:] != raw.test_images.shape[1:]:
        raise BadInput(
            f"dataset={name}: training images are (h, w, c) = {raw.train_images.shape[1:]}, test images "
            f"{raw.test_images.shape[1:]} ({raw.form})"
        )
    train_classes, test_classes = set(raw.train_labels.tolist()), set(raw.test_labels.tolist())
    if len(train_classes) < 2:
        raise BadInput(f"dataset={name}: one class only; at least two are needed ({raw.form})")
    if train_classes != test_classes:
        odd = raw.classes[min(train_classes ^ test_classes)]
        raise BadInput(f"dataset={name}: class {odd!r} is only in training or only in test images ({raw.form})")


def _check_split(raw: RawData, name: str, split: str, images: np.ndarray, labels: np.ndarray) -> None:
    if len(images) == 0:
        raise BadInput(f"dataset={name}: no {split} images ({raw.form})")
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape or labels.shape != (len(images),):
        raise BadInput(
            f"dataset={name}: the loader's {split} images are {images.dtype} of shape {images.shape}, its labels "
            f"of shape {labels.shape}; expected uint8 (n, h, w, c) and (n,)"
        )
    if labels.min() < 0 or labels.max() >= len(raw.classes):
        raise BadInput(f"dataset={name}: a {split} label lies outside 0 to {len(raw.classes) - 1} ({raw.form})")


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    return Split(torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))), torch.from_numpy(labels))


def _digest(raw: RawData, order: np.ndarray, test_order: np.ndarray) -> str:
    content = hashlib.sha256(str(len(raw.classes)).encode())
    for images, labels, positions in (
        (raw.train_images, raw.train_labels, order),
        (raw.test_images, raw.test_labels, test_order),
    ):
        content.update(str(images.shape).encode())
        for start in range(0, len(positions), CHUNK):
            content.update(images[positions[start : start + CHUNK]].tobytes())
        content.update(labels[positions].astype("<i8").tobytes())
    return content.hexdigest()


def load_run_data(config: dict[str, Any]) -> Data:
    """The run's data; consecutive runs of one process share it.

    Raises:
        BadInput: see `load_data`; or the labels of `noise.file`, a part of the run's identity, couldn't be read when it
            was composed.
    """
    noise = config["noise"]
    data = _load_data(json.dumps([config["dataset"], noise], sort_keys=True))
    if noise.get("file") is not None and FILE_DIGEST not in noise:
        raise BadInput(f"noise.file={noise['file']}: couldn't be read when this command began; start it again")
    return data


@functools.lru_cache(maxsize=2)  # runs with and without label noise may alternate in a grid
def _load_data(key: str) -> Data:
    dataset, noise = json.loads(key)
    return load_data(dataset, noise)
