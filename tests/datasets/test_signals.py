"""MNIST-1D is drawn by the published algorithm, and always alike."""

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter

from sweeper.datasets.data import load_data
from sweeper.datasets.signals import CURVES, draw_signals, mnist1d
from sweeper.system.errors import BadInput

DIGEST = "5bf41023cc14e893590bb21eaf36064700b39ad67b4f101be9729665e54b26f4"
NODE = {
    "name": "mnist1d",
    "loader": "sweeper.datasets.mnist1d",
    "image_size": None,
    "train_limit": None,
    "test_limit": None,
    "validation_fraction": 0.0,
}
NONE = {"name": "none", "kind": "none", "rate": 0.0, "seed": 0, "own_class": False, "file": None}


def published(labels: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """One signal after another, step by step as arXiv 2011.14439 describes, with SciPy's filter and interpolation."""

    def resample(x: np.ndarray, n: int) -> np.ndarray:
        return interp1d(np.linspace(0, 1, len(x)), x)(np.linspace(0, 1, n))

    def signal(curve: np.ndarray) -> np.ndarray:
        curve = (curve - curve.mean()) / curve.std()
        curve = (curve - curve[0]) / 6 + 1e-8  # what is exactly 0 below is padding
        x = resample(np.concatenate([curve, np.zeros(rng.randint(36, 61))]), 72)
        x *= 1 + 0.4 * (rng.rand() - 0.5)
        x = np.roll(x, rng.randint(48))
        x = np.where(x != 0, x, gaussian_filter(0.25 * rng.randn(72), 2)) + 0.02 * rng.randn(72)
        return resample(x - 0.75 * (rng.rand() - 0.5) * np.linspace(-0.5, 0.5, 72), 40)

    return np.stack([signal(CURVES[label]) for label in labels])


def test_signals_have_the_published_distribution():
    """Each class's mean and covariance, point by point, within five standard errors."""
    n = 500
    labels = np.repeat(np.arange(10), n)
    ours, theirs = draw_signals(labels), published(labels, np.random.RandomState(0))
    for label in range(10):
        first, second = (x[labels == label] for x in (ours, theirs))
        for products in (lambda x: x, lambda x: (x[:, :, None] * x[:, None, :]).reshape(n, -1)):
            a, b = products(first), products(second)
            error = np.sqrt((a.var(0) + b.var(0)) / n)
            assert np.abs((a.mean(0) - b.mean(0)) / error).max() < 5.5, label


def test_the_set_is_always_the_same_whatever_else_draws():
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    assert load_data(NODE, NONE).digest == DIGEST, "golden: the generated set has changed"
    assert (np.random.get_state()[1] == before).all()


def test_classes_are_equal_in_size_and_no_signal_is_twice():
    raw = mnist1d(NODE)
    assert np.bincount(raw.train_labels).tolist() == [400] * 10 and np.bincount(raw.test_labels).tolist() == [100] * 10
    images = np.concatenate([raw.train_images, raw.test_images]).reshape(5000, -1)
    assert len(np.unique(images, axis=0)) == 5000
    assert np.mean((images == 0) | (images == 255)) < 0.001, "cut off at four deviations"


def test_a_size_is_refused():
    with pytest.raises(BadInput, match=r"dataset\.image_size=32: dataset=mnist1d has a fixed size"):
        mnist1d({**NODE, "image_size": 32})
