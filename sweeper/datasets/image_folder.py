"""Loads trees of image files, `train/<class>/*` and `test/<class>/*`, and caches their decoded uint8 pixels."""

import hashlib
import logging
import math
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from sweeper.datasets.raw import RawData
from sweeper.system.errors import BadInput
from sweeper.system.files import remove_file, write_atomically
from sweeper.system.machine import cores, memory
from sweeper.system.places import cache_folder

log = logging.getLogger("sweeper")

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
TEST_FOLDERS = ("test", "val", "valid")
EXPECTED = "expected train/<class>/* and test/<class>/* with images"

# Incremented when the same files would be decoded differently.
CACHE_VERSION = 1
HEADER = 32 + 4 * 8  # bytes: SHA-256 of what follows, then the shape (n, h, w, c) as little-endian int64
FILES_AT_A_TIME = 256  # decoded by one task of a thread
# Below this mean file size, in bytes, one thread is fastest, because threads contend for Python's lock. Measured on
# two cores, microseconds per image with one and two threads: 32x32 PNG 91, 195; 128x128 PNG 721, 345.
SMALL_FILE = 8192


class ImageFile(NamedTuple):
    path: str  # relative to the tree's root, with "/"
    size: int  # bytes
    modified: int  # ns
    changed: int  # ns; no program can reset it, so a changed file is always detected


def folder(dataset: dict[str, Any]) -> RawData:
    """Load the tree of images at `dataset.root`. Each folder directly below `train/`, with subfolders, is a class."""
    return load_tree(dataset, "images", class_part=1)


def load_tree(dataset: dict[str, Any], title: str, class_part: int) -> RawData:
    """Load a tree of images; labels are the indices of the class folders in alphabetical order.

    The images are (n, h, w, 1) if every file is 8-bit grayscale, else (n, h, w, 3) RGB. With `dataset.image_size` each
    is cropped to its central square and resized to that side; without, all must have the same size.

    Args:
        dataset: the group's node; `root`, `image_size` and `workers` (decoding threads) are read.
        title: the name of the data set in `form`.
        class_part: which part of `train/<...>/<file>` names the class: 1 is the folder below `train/`, -2 the image's
            folder, as in archives that group classes into superclasses.

    Raises:
        BadInput: there is no such tree, training and test classes differ, an image is unreadable, or sizes differ; the
            error names the file. Or the images don't fit into this machine's memory.
    """
    if dataset["root"] is None:
        raise BadInput(f"dataset.root is missing; {EXPECTED}")
    root = Path(dataset["root"])
    test_name = next((name for name in TEST_FOLDERS if (root / name).is_dir()), "test")
    train, test = (_list_images(root, split) for split in ("train", test_name))
    names = [[file.path.split("/")[class_part] for file in files] for files in (train, test)]
    classes = sorted(set(names[0]))
    if odd := sorted(set(names[0]) ^ set(names[1])):
        raise BadInput(f"dataset.root={root}: class {odd[0]!r} has images in only one of train/ and {test_name}/")
    images = _load_images(root, train + test, dataset["image_size"], dataset["workers"])
    number = {name: k for k, name in enumerate(classes)}
    labels = np.array([number[name] for split in names for name in split], dtype=np.int64)
    n = len(train)
    form = f"{title} from a tree of images in {dataset['root']}"
    return RawData(images[:n], labels[:n], images[n:], labels[n:], tuple(classes), form, ordered=False)


def _list_images(root: Path, split: str) -> list[ImageFile]:
    """All images of a split, sorted by path."""
    try:
        files = sorted(_walk(root / split, split))
    except OSError as error:
        raise BadInput(f"dataset.root={root}: {error.filename}: {error.strerror}; {EXPECTED}") from error
    if not files:
        raise BadInput(f"dataset.root={root}: no images in {split}/; {EXPECTED}")
    for file in files:
        if file.path.count("/") < 2:
            raise BadInput(f"dataset.root={root}: {file.path} isn't in a class folder; {EXPECTED}")
    return files


def _walk(directory: Path, relative: str) -> Iterator[ImageFile]:
    with os.scandir(directory) as entries:
        for entry in entries:
            path = f"{relative}/{entry.name}"
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(directory / entry.name, path)
            elif entry.name.lower().endswith(IMAGE_ENDINGS):
                status = entry.stat()
                yield ImageFile(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _load_images(root: Path, files: list[ImageFile], side: int | None, workers: int | None) -> np.ndarray:
    """The images, (n, h, w, c) uint8, from the cache if the same files were decoded before."""
    place = hashlib.sha256(os.fsencode(f"{root.resolve()} {side}")).hexdigest()[:12]
    key = hashlib.sha256(f"{CACHE_VERSION}".encode())
    for file in files:
        key.update(os.fsencode("\0".join(map(str, file))) + b"\n")
    caches = cache_folder()
    path = None if caches is None else caches / f"{place}-{key.hexdigest()[:20]}"
    cached = None if path is None else _read_cache(path)
    if cached is not None and len(cached) == len(files):
        return cached

    log.info("decoding %d images in %s", len(files), root)
    start = time.monotonic()
    images = _decode(root, files, side, workers)
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


def _decode(root: Path, files: list[ImageFile], side: int | None, workers: int | None) -> np.ndarray:
    """Decode the images in threads, since Pillow releases Python's lock; returns (n, h, w, c) uint8."""
    if side is not None:
        _check_memory(f"dataset.image_size={side}", len(files), side, side)
    first, _ = _read_image(root / files[0].path, side)
    _check_memory(f"dataset.root={root}", len(files), *first.shape[:2])
    images = np.empty((len(files), *first.shape), dtype=np.uint8)

    def decode_some(start: int) -> bool:
        all_gray = True
        for k in range(start, min(start + FILES_AT_A_TIME, len(files))):
            image, gray = _read_image(root / files[k].path, side)
            if image.shape != first.shape:
                sizes = [f"{shape[1]}x{shape[0]}" for shape in (image.shape, first.shape)]
                raise BadInput(
                    f"{root / files[k].path}: {sizes[0]} pixels, but {files[0].path} has {sizes[1]}; make them one "
                    "size, or set dataset.image_size"
                )
            images[k] = image
            all_gray &= gray
        return all_gray

    small = sum(file.size for file in files) < SMALL_FILE * len(files)
    threads = max(1, workers) if workers is not None else 1 if small else cores()
    with ThreadPoolExecutor(threads) as pool:
        gray = list(pool.map(decode_some, range(0, len(files), FILES_AT_A_TIME)))
    return np.ascontiguousarray(images[..., :1]) if all(gray) else images


def _check_memory(option: str, n: int, height: int, width: int) -> None:
    """Refuse images that don't fit into memory, instead of swapping or being killed by the system."""
    needed, free = 3 * n * height * width, memory().available
    if needed > free:
        fits = max(1, math.isqrt(free // (4 * 3 * n)))  # 4: with the copies for splits and batches
        raise BadInput(
            f"{option}: {n:,} images of {width}x{height} pixels take {needed / 2**30:,.1f} GiB of memory, and "
            f"{free / 2**30:,.1f} are free; choose dataset.image_size={fits} or less"
        )


def _read_image(path: Path, side: int | None) -> tuple[np.ndarray, bool]:
    """The (h, w, 3) uint8 RGB pixels, and whether the file is grayscale."""
    try:
        with Image.open(path) as image:
            gray = image.mode in ("L", "1")
            if image.mode == "F" or image.mode.startswith("I"):
                raise BadInput(f"{path}: more than 8 bits a pixel (mode {image.mode}); convert it to 8 bits")
            # A palette may contain transparency, which Pillow converts via RGBA.
            converted = (image.convert("RGBA") if image.mode == "P" else image).convert("RGB")
            if side is not None:
                converted = ImageOps.fit(converted, (side, side))
            return np.asarray(converted), gray
    except BadInput:
        raise
    except Exception as error:  # Pillow raises many kinds of errors for a broken file
        raise BadInput(f"{path}: unreadable image ({error}); replace or remove it") from error
