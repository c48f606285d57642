"""Made images stand for a published data set in all that a step's time depends on."""

import pytest

from sweeper.datasets.facts import PUBLISHED
from sweeper.datasets.synthetic import made_images


def test_made_images_have_the_shape_of_what_they_stand_for_and_its_limits():
    node = {"made_of": "sweeper.datasets.mnist", "train_limit": 100, "test_limit": None}
    raw = made_images(node)
    assert raw.train_images.shape == (100, 28, 28, 1) and raw.test_images.shape == (10_000, 28, 28, 1)
    assert set(raw.train_labels) == set(range(10)) and raw.form == "made images"
    assert (made_images(node).train_images == raw.train_images).all()


@pytest.mark.parametrize("path", PUBLISHED)
def test_each_published_set_can_be_stood_for(path):
    raw, published = made_images({"made_of": path, "train_limit": 50, "test_limit": 20}), PUBLISHED[path]
    channels, height, width = published.shape
    assert raw.train_images.shape == (50, height, width, channels) and raw.train_images.dtype == "uint8"
    assert (len(raw.train_labels), len(raw.test_labels), len(raw.classes)) == (50, 20, published.classes)
    assert raw.train_labels.min() >= 0 and raw.train_labels.max() < published.classes
