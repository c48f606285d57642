"""Finds a tree's image files: the folders of its splits, the class of each image, and the files that aren't taken."""

import errno
import functools
import os
import stat
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from PIL import features

from sweeper.system.errors import BadInput
from sweeper.system.text import counted, few, printable

# All that torchvision's ImageFolder reads, and their relatives; in any case.
IMAGE_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
TRAIN_FOLDERS = ("train", "training")
TEST_FOLDERS = ("test", "testing", "val", "valid", "validation", "dev", "eval")  # the first that is there; in any case
EXPECTED = "expected train/<class>/* and test/<class>/* with images, or <class>/* and dataset.test_fraction=0.2"
# What other programs leave in folders. Names that begin with a dot are skipped, too.
JUNK = frozenset(
    {
        "@eadir",  # thumbnails of a Synology server
        "@recycle",
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__macosx",  # of archives made on macOS
        "icon\r",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
    }
)

# What isn't taken, besides files by their ending: several, and one.
BROKEN, DEVICES, OTHERS = "broken links", "pipes or devices", "others"
NO_TARGET = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # of a link
ONE = {BROKEN: "broken link", DEVICES: "pipe or device", OTHERS: "other"}


class ImageFile(NamedTuple):
    path: str  # relative to the tree's root, with "/"
    size: int  # bytes
    modified: int  # ns
    changed: int  # ns; no program can reset it, so a changed file is always detected


class Splits(NamedTuple):
    """The folders below a tree's root that are read.

    Attributes:
        train: "" if the classes are directly in the root.
        test: None if there is none, and `dataset.test_fraction` holds test images out.
        others: folders beside them, which aren't read.
    """

    train: str
    test: str | None
    others: list[str]


@dataclass
class Found:
    """The images of a split, sorted by path, and what isn't taken.

    Attributes:
        classes: the class of each image, in Unicode's normal form C, in which macOS's names are those of others.
        empty: folders of classes without an image.
        left: the number of files that aren't taken, by ending or another word.
    """

    images: list[ImageFile] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    empty: set[str] = field(default_factory=set)
    left: Counter[str] = field(default_factory=Counter)


def find_splits(root: Path, test_fraction: float | None) -> Splits:
    """The folders of training and test images.

    Raises:
        BadInput: the root can't be read or has no such folders, or it has test images and `test_fraction` is given.
    """
    try:
        with os.scandir(root) as entries:
            folders = sorted(entry.name for entry in entries if not is_junk(entry.name) and is_folder(entry))
    except OSError as error:
        raise _unread(root, error) from error
    train, test = (_first(folders, names) for names in (TRAIN_FOLDERS, TEST_FOLDERS))
    if test_fraction is not None and (train is None or not _has_folders(root / train)):
        return Splits("", None, [])  # a class may be called train
    if train is None:
        raise BadInput(f"dataset.root={root}: no folder train/ in it; {EXPECTED}")
    if test_fraction is None and test is None:
        names = ", ".join(f"{name}/" for name in TEST_FOLDERS)
        raise BadInput(
            f"dataset.root={root}: no folder of test images in it ({names}); add one, or hold some of {train}/ out by "
            "dataset.test_fraction=0.2"
        )
    if test_fraction is not None and test is not None:
        raise BadInput(f"dataset.test_fraction={test_fraction}: {root} has test images, {test}/; leave it out")
    return Splits(train, test, [name for name in folders if name not in (train, test)])


def _unread(root: Path, error: OSError) -> BadInput:
    """Of a root or what lies below it, named once."""
    where = "" if error.filename in (None, str(root), root) else f"{error.filename}: "
    return BadInput(f"dataset.root={root}: {where}{error.strerror}; {EXPECTED}")


def find_images(root: Path, split: str, class_part: int) -> Found:
    """All images of a split.

    Args:
        split: a folder below the root; "" for the root itself.
        class_part: which part of the path below the split names an image's class: 0 is the folder below it, -2 the
            image's folder.

    Raises:
        BadInput: a folder can't be read or contains itself by a link, there are no images, one isn't in a folder of a
            class, or two folders' names are equal in Unicode's normal form.
    """
    found, leaves = Found(), list[str]()
    try:
        _walk(root / split, split, (), found, leaves)
    except OSError as error:
        raise _unread(root, error) from error
    where, depth = (f"{split}/", 1) if split else ("it", 0)
    if not found.images:
        raise BadInput(f"dataset.root={root}: no images in {where}{say_left(found.left)}; {EXPECTED}")
    found.images.sort()
    parts = [file.path.split("/")[depth:] for file in found.images]
    for file, part in zip(found.images, parts, strict=True):
        if len(part) < 2:
            raise BadInput(f"dataset.root={root}: {file.path} isn't in a class folder; {EXPECTED}")
    folders = [part[class_part] for part in parts]
    name_of = {folder: unicodedata.normalize("NFC", folder) for folder in sorted(set(folders))}
    if twice := [name for name, count in Counter(name_of.values()).items() if count > 1]:
        raise BadInput(
            f"dataset.root={root}: {where} has two folders {twice[0]!r}, which differ only in Unicode's form (NFC and "
            "NFD); put their images into one"
        )
    found.classes = [name_of[folder] for folder in folders]
    of_leaves = [f"{leaf}/".split("/")[depth:] for leaf in leaves]
    found.empty = {unicodedata.normalize("NFC", part[class_part]) for part in of_leaves if len(part) > 1}
    found.empty -= set(name_of.values())
    return found


def describe_files(splits: Splits, train: Found, test: Found | None) -> str:
    """One line: the number of images of each split, and what wasn't taken.

    E.g. `1,600 images in train/, 400 in test/; not taken: 3 .heic, 1 .txt; empty class folders: x`.
    """
    text = counted(len(train.images), "image")
    if splits.train:
        text += f" in {splits.train}/"
    if test is not None:
        text += f", {len(test.images):,} in {splits.test}/"
    found = [train] if test is None else [train, test]
    text += say_left(sum((split.left for split in found), Counter[str]()))
    used = {*train.classes, *(test.classes if test is not None else [])}
    if empty := sorted(set[str]().union(*(split.empty for split in found)) - used):
        text += f"; empty class folders: {few(empty)}"
    if splits.others:
        text += f"; other folders, not read: {few([f'{name}/' for name in splits.others])}"
    return printable(text)


def say_left(left: Counter[str]) -> str:
    """The end of a sentence: how many files of which ending weren't taken."""
    ordered = sorted(left.items(), key=lambda item: (-item[1], item[0]))
    kinds = [f"{n:,} {kind if n > 1 or kind[0] == '.' else ONE[kind]}" for kind, n in ordered]
    return f"; not taken: {few(kinds, 6)}" if kinds else ""


def is_junk(name: str) -> bool:
    """Whether a file or folder is hidden, or one that another program left.

    >>> [is_junk(name) for name in ("._x.jpg", "@eaDir", "Thumbs.db", ".ipynb_checkpoints", "x.jpg")]
    [True, True, True, True, False]
    """
    return name.startswith(".") or name.lower() in JUNK


def _walk(directory: Path, relative: str, above: tuple[tuple[int, int], ...], found: Found, leaves: list[str]) -> None:
    """Collect the images below a directory, and the folders without folders in them."""
    status = os.stat(directory)
    here = status.st_dev, status.st_ino
    if here in above:
        raise BadInput(f"{printable(str(directory))}: a link to a folder that contains it; remove the link")
    is_leaf = True
    with os.scandir(directory) as entries:
        for entry in entries:
            if is_junk(entry.name):
                continue
            path = f"{relative}/{entry.name}" if relative else entry.name
            if is_folder(entry):
                is_leaf = False
                _walk(directory / entry.name, path, (*above, here), found, leaves)
            elif (ending := os.path.splitext(entry.name)[1].lower()) not in _endings():
                short = ending.isprintable() and 1 < len(ending) < 10
                found.left[BROKEN if _is_broken(entry) else ending if short else OTHERS] += 1
            elif _is_broken(entry):
                found.left[BROKEN] += 1
            elif not stat.S_ISREG((status := entry.stat()).st_mode):
                found.left[DEVICES] += 1
            else:
                found.images.append(ImageFile(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    if is_leaf:
        leaves.append(relative)


@functools.cache
def _endings() -> frozenset[str]:
    """The endings of the images that the installed Pillow reads."""
    avif = "avif" in features.modules and features.check("avif")
    return IMAGE_ENDINGS | {".avif"} if avif else IMAGE_ENDINGS


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a link to itself is none.

    Raises:
        OSError: the disk, or a permission, doesn't tell: its images would be left out without a word.
    """
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno in NO_TARGET:
            return False
        raise


def _is_broken(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to nothing, or to itself."""
    if not entry.is_symlink():
        return False
    try:
        entry.stat()
    except OSError as error:
        if error.errno in NO_TARGET:
            return True
        raise
    return False


def _has_folders(directory: Path) -> bool:
    with os.scandir(directory) as entries:
        return any(is_folder(entry) for entry in entries if not is_junk(entry.name))


def _first(folders: list[str], names: tuple[str, ...]) -> str | None:
    """The first of the names that is among the folders, as it is written there."""
    as_written = {folder.lower(): folder for folder in sorted(folders)}  # `test` wins over `TEST`
    return next((as_written[name] for name in names if name in as_written), None)
