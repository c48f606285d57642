"""Reads images and labels from Parquet files as the Hugging Face Hub stores them: columns of images and of labels."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sweeper.datasets.decode import EncodedImage
from sweeper.datasets.image_files import IMAGE_ENDINGS, TEST_FOLDERS, TRAIN_FOLDERS, ImageFile, is_folder, is_junk
from sweeper.system.errors import BadInput, install
from sweeper.system.text import few

# The names that are taken where several columns hold images, or classes.
IMAGE_COLUMNS, LABEL_COLUMNS = ("image", "img"), ("label", "labels", "fine_label", "class", "target")
DEEPEST = 3  # folders between the root and a file, as in set/data/train/
_SPLIT = re.compile(rf"(?<![a-z0-9])({'|'.join((*TRAIN_FOLDERS, *TEST_FOLDERS))})(?![a-z0-9])")

Files = dict[str, list[ImageFile]]  # by the name of their split, "" without one


class Columns(NamedTuple):
    """The columns of a set: `names` are those of the classes; None if the labels are names or plain numbers."""

    image: str
    label: str
    names: list[str] | None


def find_parquet(root: Path) -> Files:
    """The Parquet files below a folder by the split in their name, or in that of a folder above them; none in a tree of
    images.

    Raises:
        BadInput: they are of several sets, in folders of their own, or a folder among them can't be read.
    """
    found: Files = {}
    sets = set[str]()
    unread: list[OSError] = []
    try:
        paths = sorted(_walk(root, "", DEEPEST, unread))
    except _ImageFound:
        return {}
    if paths and unread:  # without any the tree's reader says why
        raise BadInput(f"dataset.root={root}: {unread[0].filename}: {unread[0].strerror}") from unread[0]
    for path in paths:
        *folders, file = path.split("/")
        parts = [match[1] for part in (file, *reversed(folders)) if (match := _SPLIT.search(part.lower()))]
        sets.add("/".join(name for name in folders if name != "data" and not _SPLIT.fullmatch(name.lower())))
        status = os.stat(root / path)
        listed = ImageFile(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        found.setdefault(parts[0] if parts else "", []).append(listed)
    if len(sets) > 1:
        several = few([f"{name or '.'}/" for name in sorted(sets)])
        raise BadInput(f"dataset.root={root}: has Parquet files of several sets, {several}; name one of the folders")
    return found


def choose_splits(where: str, splits: Iterable[str], test_fraction: float | None) -> tuple[str, str | None]:
    """The training split, and the test split; None if test images are to be held out.

    Args:
        where: the option and its value, for errors.

    Raises:
        BadInput: there are no training images, or no test images and no fraction, or both.
    """
    there = list(splits)
    train = next((name for name in (*TRAIN_FOLDERS, "") if name in there), None)
    test = next((name for name in TEST_FOLDERS if name in there), None)
    if train is None:
        raise BadInput(f"{where}: there is no training split; it has {few(there)}")
    if test is None and test_fraction is None:
        raise BadInput(f"{where}: there is no test split; hold some images out by dataset.test_fraction=0.2")
    if test is not None and test_fraction is not None:
        raise BadInput(f"dataset.test_fraction={test_fraction}: {where} has test images, {test}; leave it out")
    return train, test


def choose_columns(where: str, features: Mapping[str, tuple[str, list[str] | None]]) -> Columns:
    """The columns of images and labels.

    Args:
        where: the option and its value, for errors.
        features: by column its kind as `datasets` calls it, `Image`, `ClassLabel` or another, and the classes' names.

    Raises:
        BadInput: there is no such column, or it isn't clear which of several is meant.
    """
    image = _choose(
        where, "images", [n for n, (kind, _) in features.items() if kind == "Image"], IMAGE_COLUMNS, features
    )
    classes = [n for n, (kind, _) in features.items() if kind == "ClassLabel"]
    label = _choose(where, "labels", classes or [n for n in LABEL_COLUMNS if n in features], LABEL_COLUMNS, features)
    return Columns(image, label, features[label][1])


def read_columns(root: Path, files: list[ImageFile]) -> Columns:
    """The columns of a split's files, by the first file's schema."""
    parquet = _pyarrow(root)
    schema = parquet.read_schema(root / files[0].path)
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    features = {}
    for field in schema:
        known = described.get(field.name)
        kind, names = (known.get("_type", ""), known.get("names")) if isinstance(known, dict) else ("", None)
        if not kind and str(field.type).startswith("struct<") and "bytes" in [inner.name for inner in field.type]:
            kind = "Image"
        features[field.name] = (kind, names)
    return choose_columns(f"dataset.root={root}", features)


def read_labels(root: Path, files: list[ImageFile], columns: Columns) -> list[str]:
    """The name of each image's class."""
    read = _read_column(root, files, columns.label)
    return [name for where, values in read for name in class_names(where, values, columns)]


def class_names(where: str, values: Iterable[Any], columns: Columns) -> list[str]:
    """The names of labels.

    Raises:
        BadInput: a label is missing, as in a test split whose labels are withheld.
    """
    names = []
    for row, value in enumerate(values):
        withheld = value is None or (isinstance(value, int) and value < 0)
        if withheld or (columns.names is not None and value >= len(columns.names)):
            raise BadInput(f"{where}, row {row}: {columns.label} is {value}, no class; remove this split, or its rows")
        names.append(str(value) if columns.names is None else columns.names[value])
    return names


def read_images(root: Path, files: list[ImageFile], columns: Columns) -> list[EncodedImage]:
    """The images' encoded bytes."""
    read = _read_column(root, files, columns.image)
    return [image for where, values in read for image in encoded(where, values)]


def _read_column(root: Path, files: list[ImageFile], column: str) -> Iterator[tuple[str, list[Any]]]:
    """Of each file its path and its values."""
    parquet = _pyarrow(root)
    for file in files:
        yield f"{root / file.path}", parquet.read_table(root / file.path, columns=[column])[column].to_pylist()


def encoded(where: str, values: Iterable[Any], read_files: bool = False) -> Iterator[EncodedImage]:
    """The images of a column of structs with `bytes`.

    Args:
        read_files: read an image without bytes from its `path`.

    Raises:
        BadInput: one has no bytes, as where the set holds paths of files elsewhere.
    """
    for row, value in enumerate(values):
        content = value.get("bytes") if isinstance(value, dict) else None
        if read_files and content is None and isinstance(value, dict) and os.path.isfile(value.get("path") or ""):
            content = Path(value["path"]).read_bytes()
        if content is None:
            raise BadInput(f"{where}, row {row}: holds no image's bytes; save the set with its images embedded")
        yield EncodedImage(f"{where}, row {row}", content)


def number_classes(train: list[str], test: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """The label of each image, (n,) int64, and the classes in alphabetical order, numbers by their value."""
    used = {*train, *test}
    numeric = all(name.isdecimal() for name in used)
    classes = sorted(used, key=int if numeric else None)
    number = {name: k for k, name in enumerate(classes)}
    return np.array([number[name] for name in (*train, *test)], dtype=np.int64), tuple(classes)


def _choose(
    where: str, what: str, found: list[str], usual: tuple[str, ...], features: Mapping[str, tuple[str, Any]]
) -> str:
    if len(found) == 1:
        return found[0]
    if found and (known := next((name for name in usual if name in found), None)) is not None:
        return known
    words = (
        f"several columns hold {what}, {few(found)}" if found else f"no column holds {what}; it has {few([*features])}"
    )
    raise BadInput(f"{where}: {words}; keep one, as {usual[0]!r}")


class _ImageFound(Exception):
    """A file is an image, so the folder is a tree of images."""


def _walk(root: Path, relative: str, depth: int, unread: list[OSError]) -> Iterator[str]:
    """The Parquet files at most `depth` folders deep; why a folder can't be read is added to `unread`."""
    try:
        with os.scandir(root / relative) as entries:
            for entry in entries:
                path = f"{relative}/{entry.name}" if relative else entry.name
                ending = os.path.splitext(entry.name)[1].lower()
                if is_junk(entry.name):
                    continue
                if ending == ".parquet":
                    yield path
                elif ending in IMAGE_ENDINGS:
                    raise _ImageFound
                elif depth and is_folder(entry):
                    yield from _walk(root, path, depth - 1, unread)
    except OSError as error:
        unread.append(error)


def _pyarrow(root: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise BadInput(f"dataset.root={root}: its Parquet files need pyarrow; {install('parquet')}") from error
    return parquet
