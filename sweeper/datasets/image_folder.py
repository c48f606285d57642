"""Loads trees of image files, `train/<class>/*` and `test/<class>/*`, and caches their decoded uint8 pixels."""

import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sweeper.datasets.decode import DECODING_VERSION, decode
from sweeper.datasets.image_files import EXPECTED, ImageFile, describe_files, find_images, find_splits, say_left
from sweeper.datasets.parquet import (
    Files,
    choose_splits,
    find_parquet,
    number_classes,
    read_columns,
    read_images,
    read_labels,
)
from sweeper.datasets.raw import RawData
from sweeper.system.errors import BadInput
from sweeper.system.files import remove_file, write_atomically
from sweeper.system.places import cache_folder
from sweeper.system.text import counted, few

log = logging.getLogger("sweeper")

HEADER = 32 + 4 * 8  # bytes: SHA-256 of what follows, then the shape (n, h, w, c) as little-endian int64


def folder(dataset: dict[str, Any]) -> RawData:
    """Load the tree of images at `dataset.root`, or the Parquet files of images there.

    Each folder directly below `train/`, with subfolders, is a class.
    """
    if dataset["root"] is not None and (files := find_parquet(Path(dataset["root"]))):
        return load_parquet(dataset, files)
    return load_tree(dataset, "images", class_part=0)


def load_tree(dataset: dict[str, Any], title: str, class_part: int) -> RawData:
    """Load a tree of images; labels are the indices of the class folders in alphabetical order.

    A folder without images is no class. The images are (n, h, w, 1) if every file is grayscale, else (n, h, w, 3) RGB.
    With `dataset.image_size` each is cropped to its central square and resized to that side; without, all must have the
    same size. With `dataset.test_fraction` all are training images, of which the caller holds out the test images.

    Args:
        dataset: the group's node; `root`, `image_size`, `test_fraction` and `workers` (decoding threads) are read.
        title: the name of the data set in `form`.
        class_part: which part of `<...>/<file>` in a split names the class: 0 is the folder below the split, -2 the
            image's folder, as in archives that group classes into superclasses.

    Raises:
        BadInput: there is no such tree, training and test classes differ, an image is unreadable, or sizes differ; the
            error names the file. Or the images don't fit into this machine's memory.
    """
    if dataset["root"] is None:
        raise BadInput(f"dataset.root is missing; {EXPECTED}")
    root = Path(dataset["root"])
    splits = find_splits(root, dataset.get("test_fraction"))
    train = find_images(root, splits.train, class_part)
    test = find_images(root, splits.test, class_part) if splits.test is not None else None
    classes = sorted(set(train.classes))
    if test is not None and (odd := sorted(set(classes) ^ set(test.classes))):
        advice = "add some to the other, or move the class elsewhere"
        where, left = f"{splits.train}/ and {splits.test}/", say_left(train.left + test.left)
        raise BadInput(f"dataset.root={root}: class {odd[0]!r} has images in only one of {where}; {advice}{left}")
    files, names = train.images, train.classes
    if test is not None:
        files, names = files + test.images, names + test.classes
    side, workers = dataset["image_size"], dataset["workers"]
    images = load_cached(root, files, len(files), side, lambda: decode(root, files, side, workers))
    number = {name: k for k, name in enumerate(classes)}
    labels = np.array([number[name] for name in names], dtype=np.int64)
    n = len(train.images)
    form = f"{title} from a tree of images in {dataset['root']}"
    told = describe_files(splits, train, test)
    return RawData(images[:n], labels[:n], images[n:], labels[n:], tuple(classes), form, ordered=False, files=told)


def load_parquet(dataset: dict[str, Any], files: Files) -> RawData:
    """Load Parquet files of images; with `dataset.test_fraction` all are training images, as of a tree.

    Raises:
        BadInput: a split, column or label is missing, an image is unreadable, sizes differ, or pyarrow isn't installed.
    """
    root, side, workers = Path(dataset["root"]), dataset["image_size"], dataset["workers"]
    train, test = choose_splits(f"dataset.root={root}", files, dataset.get("test_fraction"))
    read = [files[train], files[test] if test is not None else []]
    columns = read_columns(root, read[0])
    names = [read_labels(root, some, columns) for some in read]
    labels, classes = number_classes(*names)
    both = [*read[0], *read[1]]
    images = load_cached(
        root, both, len(labels), side, lambda: decode(root, read_images(root, both, columns), side, workers)
    )
    told = f"{counted(len(names[0]), 'image')} in {train or 'Parquet files'}"
    if test is not None:
        told += f", {len(names[1]):,} in {test}"
    if others := sorted(set(files) - {train, test}):
        told += f"; other splits, not read: {few(others)}"
    n, form = len(names[0]), f"images from Parquet files in {root}"
    return RawData(images[:n], labels[:n], images[n:], labels[n:], classes, form, ordered=False, files=told)


def load_cached(
    root: Path, files: list[ImageFile], n: int, side: int | None, decode_all: Callable[[], np.ndarray]
) -> np.ndarray:
    """The `n` images in these files, (n, h, w, c) uint8, from the cache if the same files were decoded before."""
    place = hashlib.sha256(os.fsencode(f"{root.resolve()} {side}")).hexdigest()[:12]
    key = hashlib.sha256(f"{DECODING_VERSION}".encode())
    for file in files:
        key.update(os.fsencode("\0".join(map(str, file))) + b"\n")
    caches = cache_folder()
    path = None if caches is None else caches / f"{place}-{key.hexdigest()[:20]}"
    cached = None if path is None else _read_cache(path)
    if cached is not None and len(cached) == n:
        return cached

    log.info("decoding %s in %s", counted(n, "image"), root)
    start = time.monotonic()
    images = decode_all()
    log.info("decoded in %.1f s", time.monotonic() - start)
    if caches is None or path is None:
        log.warning("the decoded images can't be kept; the next run decodes them again; XDG_CACHE_HOME=DIR keeps them")
        return images
    try:
        shape = np.array(images.shape, dtype="<i8").tobytes()
        checksum = hashlib.sha256(shape)
        checksum.update(images.data.cast("B"))
        # Not durable: the checksum detects a cache that a power cut has damaged.
        write_atomically(path, b"".join((checksum.digest(), shape, images.data)), durable=False)
        for outdated in caches.glob(f"{place}-*"):
            if outdated != path:
                remove_file(outdated)
    except OSError as error:
        log.warning("the decoded images can't be kept in %s (%s); the next run decodes them again", caches, error)
    return images


def _read_cache(path: Path) -> np.ndarray | None:
    """The cached images; None if there is no cache or it is damaged."""
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError:
        return None
    if len(content) < HEADER or hashlib.sha256(content[32:].data).digest() != content[:32].tobytes():
        log.warning("%s is damaged; decoding the images again", path)
        return None
    return content[HEADER:].reshape(content[32:HEADER].view("<i8"))
