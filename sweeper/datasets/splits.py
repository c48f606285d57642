"""Chooses which images train, validate and test: by fixed keys, not by the run's seed."""

from dataclasses import replace
from typing import Any

import numpy as np

from sweeper.datasets.raw import RawData, keyed_order
from sweeper.system.errors import BadInput
from sweeper.system.text import counted


def limit(n: int, dataset: dict[str, Any], option: str) -> np.ndarray:
    """Ascending indices of a random subset of the option's size; all if it is null."""
    most = n if dataset[option] is None else dataset[option]
    if most < 1:
        raise BadInput(f"dataset.{option}={most}: leaves no images; must be at least 1, or null for all")
    return np.sort(keyed_order(n, "data", option)[:most])


def hold_out_validation(chosen: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the training and the validation images, ascending."""
    held = round(fraction * len(chosen))
    if held >= len(chosen) or (held == 0 and fraction > 0):
        left = "training" if held else "validation"
        raise BadInput(f"dataset.validation_fraction={fraction}: leaves no {left} images of {len(chosen)}")
    order = keyed_order(len(chosen), "data", "validation")
    return np.sort(chosen[order[held:]]), np.sort(chosen[order[:held]])


def hold_out_test(raw: RawData, order: np.ndarray, fraction: float) -> RawData:
    """Move this fraction of each class from the training to the test images.

    Which ones depends on the images' content alone, and they are nested: 0.3 includes all images of 0.2.

    Args:
        order: (n,) int64, the canonical order of the training images.
    """
    is_test = np.zeros(len(order), dtype=bool)
    for label in np.unique(raw.train_labels):
        members = order[raw.train_labels[order] == label]
        held = round(fraction * len(members))
        if held in (0, len(members)):
            left = "training" if held else "test"
            advice = "add images to it or remove it, or choose another fraction"
            members_of = f"{counted(len(members), 'image')} of class {raw.classes[label]!r}"
            raise BadInput(f"dataset.test_fraction={fraction}: leaves no {left} images of the {members_of}; {advice}")
        is_test[members[keyed_order(len(members), "data", "test")[:held]]] = True
    counts, semicolon, rest = raw.files.partition(";")
    return replace(
        raw,
        train_images=raw.train_images[~is_test],
        train_labels=raw.train_labels[~is_test],
        test_images=raw.train_images[is_test],
        test_labels=raw.train_labels[is_test],
        ordered=False,
        files=f"{counts}, {is_test.sum():,} of them held out for testing{semicolon}{rest}" if counts else "",
    )
