"""Loads a set of images of the Hugging Face Hub by the library `datasets`, which keeps it on this machine."""

from pathlib import Path
from typing import Any

from sweeper.datasets.decode import EncodedImage, decode
from sweeper.datasets.parquet import choose_columns, choose_splits, class_names, encoded, number_classes
from sweeper.datasets.raw import RawData
from sweeper.system.errors import OF_USERS_CODE, BadInput, first_line, install


def hub(dataset: dict[str, Any]) -> RawData:
    """Load the set `dataset.name`, e.g. `ylecun/mnist`, into `dataset.root` or the library's own cache.

    Splits and columns are chosen as of Parquet files; labels are indices of the classes by alphabet.

    Raises:
        BadInput: `datasets` isn't installed or can't load the set, it has no such splits or columns, an image is
            unreadable, or sizes differ.
    """
    try:
        import datasets
    except ImportError as error:
        raise BadInput(f"dataset=hub: needs datasets; {install('hub')}") from error
    where = f"dataset.name={dataset['name']}"
    datasets.disable_progress_bars()
    try:
        loaded = datasets.load_dataset(dataset["name"], cache_dir=dataset["root"])
    except OF_USERS_CODE as error:  # of the network, of the Hub, or of the set's form
        raise BadInput(f"{where}: {type(error).__name__}: {first_line(error)}") from error
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
    told = f"{n:,} images in {train}" + (f", {len(names[1]):,} in {test}" if test is not None else "")
    form = f"{dataset['name']} of the Hugging Face Hub"
    return RawData(pixels[:n], labels[:n], pixels[n:], labels[n:], classes, form, ordered=False, files=told)
