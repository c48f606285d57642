"""Which images train, validate and test depends on fixed keys and on content, never on files' names or their order."""

from dataclasses import replace

import numpy as np
import pytest

from sweeper.datasets.data import canonical_order
from sweeper.datasets.raw import RawData
from sweeper.datasets.splits import hold_out_test, hold_out_validation, limit
from sweeper.system.errors import BadInput

ADVICE = "add images to it or remove it, or choose another fraction"


def make_raw(counts=(30, 20, 10)):
    images = np.random.default_rng(0).integers(0, 256, (sum(counts), 2, 2, 1), np.uint8)
    labels = np.repeat(np.arange(len(counts)), counts)
    return RawData(
        images, labels, images[:0], labels[:0], ("a", "b", "c"), "made", True, "60 images; not taken: 1 .txt"
    )


def hold_out(raw, fraction):
    return hold_out_test(raw, canonical_order(raw.train_images, raw.train_labels), fraction)


def contents(images):
    return {image.tobytes() for image in images}


def test_the_fraction_of_each_class_is_held_out():
    raw = make_raw()
    held = hold_out(raw, 0.2)
    assert np.bincount(held.test_labels).tolist() == [6, 4, 2] and np.bincount(held.train_labels).tolist() == [
        24,
        16,
        8,
    ]
    both = np.concatenate([held.train_images, held.test_images])
    labels = np.concatenate([held.train_labels, held.test_labels])
    own = {image.tobytes(): label for image, label in zip(raw.train_images, raw.train_labels, strict=True)}
    assert {image.tobytes(): label for image, label in zip(both, labels, strict=True)} == own and len(own) == 60
    assert not held.ordered, "files of human labels don't fit any more"
    assert held.files == "60 images, 12 of them held out for testing; not taken: 1 .txt"


def test_which_images_are_held_out_depends_on_their_content_alone():
    raw = make_raw()
    order = np.random.default_rng(1).permutation(60)
    shuffled = replace(raw, train_images=raw.train_images[order], train_labels=raw.train_labels[order])
    assert contents(hold_out(raw, 0.3).test_images) == contents(hold_out(shuffled, 0.3).test_images)


def test_a_larger_fraction_includes_a_smaller_one():
    small, large = (contents(hold_out(make_raw(), fraction).test_images) for fraction in (0.2, 0.5))
    assert small < large


def test_held_out_images_stay_what_they_are():
    """Golden: recorded runs would be of other images if they moved."""
    raw = make_raw((8, 8))
    ordered = replace(raw, train_images=np.arange(16, dtype=np.uint8).reshape(16, 1, 1, 1), files="")
    held = hold_out(ordered, 0.25)
    assert held.test_images.ravel().tolist() == [5, 6, 13, 14]
    assert held.files == ""


@pytest.mark.parametrize(
    ("fraction", "message"),
    [
        (0.01, f"dataset.test_fraction=0.01: leaves no test images of the 30 images of class 'a'; {ADVICE}"),
        (0.04, f"dataset.test_fraction=0.04: leaves no test images of the 10 images of class 'c'; {ADVICE}"),
        (0.97, f"dataset.test_fraction=0.97: leaves no training images of the 10 images of class 'c'; {ADVICE}"),
    ],
)
def test_a_fraction_that_leaves_a_class_without_images_is_refused(fraction, message):
    with pytest.raises(BadInput) as caught:
        hold_out(make_raw(), fraction)
    assert str(caught.value) == message


def test_limits_are_nested_and_of_their_option():
    options = {"train_limit": 5, "test_limit": None}
    assert limit(10, options, "test_limit").tolist() == list(range(10))
    few = set(limit(100, options, "train_limit"))
    assert few < set(limit(100, {"train_limit": 6}, "train_limit")) and len(few) == 5


def test_validation_images_are_none_of_the_training_images():
    train, val = hold_out_validation(np.arange(100, 200), 0.2)
    assert len(val) == 20 and sorted([*train, *val]) == list(range(100, 200))
