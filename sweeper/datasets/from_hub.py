"""Loads a set of images of the Hugging Face Hub by the library `datasets`, which keeps it on this machine."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from sweeper.datasets.decode import EncodedImage, decode
from sweeper.datasets.parquet import choose_columns, choose_splits, class_names, encoded, number_classes
from sweeper.datasets.raw import RawData
from sweeper.system.errors import OF_USERS_CODE, BadInput, install, named
from sweeper.system.module_path import import_installed
from sweeper.system.text import counted, few

OFFLINE = "HF_HUB_OFFLINE"


def hub(dataset: dict[str, Any]) -> RawData:
    """Load the set `dataset.name`, e.g. `ylecun/mnist`, into `dataset.root` or the library's own cache.

    The name may end in that of a configuration, `OWNER/SET/CONFIGURATION`. The library reads a folder of this name, if
    there is one where the command starts, in place of the Hub.

    Splits and columns are chosen as of Parquet files; labels are indices of the classes by alphabet.

    Raises:
        BadInput: `datasets` isn't installed or can't load the set, it has no such splits or columns, an image is
            unreadable, or sizes differ.
    """
    where = f"dataset.name={dataset['name']}"
    with _offline_if_unknown() as unknown:
        datasets, loaded = _load(dataset, where, unknown)
    train, test = choose_splits(where, loaded, dataset.get("test_fraction"))
    features = loaded[train].features
    columns = choose_columns(where, {n: (type(f).__name__, getattr(f, "names", None)) for n, f in features.items()})
    names, images = list[list[str]](), list[EncodedImage]()
    for split in filter(None, (train, test)):
        rows = loaded[split].cast_column(columns.image, datasets.Image(decode=False))
        names.append(class_names(f"{where}, {split}", rows[columns.label], columns))
        images += encoded(f"{where}, {split}", rows[columns.image], read_files=True)
    labels, classes = number_classes(names[0], names[1] if test is not None else [])
    pixels = decode(Path(), images, dataset["image_size"], dataset["workers"])
    n = len(names[0])
    told = f"{counted(n, 'image')} in {train}" + (f", {len(names[1]):,} in {test}" if test is not None else "")
    path = "/".join(dataset["name"].split("/")[:2])
    form = f"the folder {dataset['name']}" if Path(path).is_dir() else f"{dataset['name']} of the Hugging Face Hub"
    return RawData(pixels[:n], labels[:n], pixels[n:], labels[n:], classes, form, ordered=False, files=told)


def _load(dataset: dict[str, Any], where: str, unknown: str) -> tuple[Any, Any]:
    """The library, and the set's splits by name.

    Args:
        unknown: the Hub's host if the network doesn't know it.
    """
    try:
        datasets = import_installed("datasets")
    except ImportError as error:
        raise BadInput(f"dataset=hub: needs datasets; {install('hub')}") from error
    datasets.disable_progress_bars()
    for library in ("datasets", "huggingface_hub"):  # they log the errors that they raise, on several lines
        logging.getLogger(library).setLevel(logging.CRITICAL)
    words = dataset["name"].split("/")
    path, configuration = "/".join(words[:2]), next(iter(words[2:]), None)
    try:
        return datasets, datasets.load_dataset(path, configuration, cache_dir=dataset["root"])
    except OF_USERS_CODE as error:  # of the network, of the Hub, or of the set's form
        several = _configurations(datasets, path) if configuration is None and isinstance(error, ValueError) else []
        if len(several) > 1:
            choice = f"dataset.name={path}/{several[0]}"
            raise BadInput(f"{where}: has several configurations, {few(several)}; name one: {choice}") from error
        if unknown and isinstance(error, ConnectionError):
            told = f"{unknown} can't be found, and the set isn't on this machine"
            raise BadInput(f"{where}: {told}; try again with a network") from error
        raise BadInput(f"{where}: {_reason(error)}") from error


@contextlib.contextmanager
def _offline_if_unknown() -> Iterator[str]:
    """A context in which the library, without a network, is told before its import to read what it has: it would try
    for half a minute.

    The variable is taken back, so that it doesn't keep the processes that this one starts offline, such as a worker
    whose tracker or model is of the Hub. In this process the library stays as it was imported. No set is missed by
    that, since a command reads all its sets before its first run.

    Yields:
        The Hub's host, if its name isn't known to the network; "" if it is, or if a proxy or the user decides.
    """
    host = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").hostname
    if host is None or getproxies() or OFFLINE in os.environ or _is_known(host):
        yield ""
        return
    os.environ[OFFLINE] = "1"
    try:
        yield host
    finally:
        del os.environ[OFFLINE]


def _is_known(host: str) -> bool:
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


def _configurations(datasets: Any, path: str) -> list[str]:
    try:
        return list(datasets.get_dataset_config_names(path))
    except OF_USERS_CODE:
        return []


def _reason(error: BaseException) -> str:
    """What went wrong, in a line; the library wraps what fails while it reads files, and quotes schemas in between."""
    cause = error.__cause__ if type(error).__name__ == "DatasetGenerationError" else None
    if cause is None:
        return named(error)
    last = str(cause).strip().splitlines()[-1:]
    return named(cause) + "".join(f" … {line.strip()}" for line in last if line.strip() not in named(cause))
