"""MNIST-1D, generated: handwritten digits drawn as curves, then moved, sheared and hidden in noise."""

import math
from typing import Any

import numpy as np

from sweeper.datasets.raw import RawData, of_digits, refuse_image_size
from sweeper.system.random_streams import numpy_stream

# The ten curves and the options below are those of github.com/greydanus/mnist1d (Apache License 2.0). Rows: digits.
CURVES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
TRAINING, TEST = 400, 100  # signals of each class
PADDING = (36, 60)  # points added behind the 12 of a curve, the fewest and the most
POINTS = 12 + PADDING[1]  # to which every padded curve is stretched
SHIFTS = 48
SCALE, SHEAR = 0.4, 0.75  # width of the interval of the factor, and of the slope
SMOOTH_NOISE, WHITE_NOISE = 0.25, 0.02  # standard deviations; the former before it is smoothed
SMOOTHING = 2.0  # standard deviation of the Gaussian, in points
LENGTH = 40
LEVELS = 32  # of the 256 gray levels, to one standard deviation of all signals; 0 is level 128


def mnist1d(dataset: dict[str, Any]) -> RawData:
    """MNIST-1D (Greydanus and Kobak 2024, arXiv 2011.14439) as gray images of 1x40 pixels; always the same ones.

    Drawn by this project's own generator, so not the published numbers but others of the same distribution; rounded to
    256 levels, a twelfth of the white noise's deviation on average. Training and test set have the published sizes.
    """
    refuse_image_size(dataset)
    labels = np.repeat(np.arange(10), TRAINING + TEST)
    signals = draw_signals(labels)
    signals = (signals - signals.mean()) / signals.std()
    images = np.clip(np.rint(128 + LEVELS * signals), 0, 255).astype(np.uint8).reshape(-1, 1, LENGTH, 1)
    is_test = np.arange(len(labels)) % (TRAINING + TEST) >= TRAINING
    return of_digits(images, labels, is_test, "MNIST-1D, generated")


def draw_signals(labels: np.ndarray) -> np.ndarray:
    """A signal for each label, float64 (n, 40), before they are standardized."""
    n = len(labels)
    padding, factor, shift, slope = _uniform(4, n, "options")[..., None]
    length = 12 + PADDING[0] + np.floor(padding * (PADDING[1] - PADDING[0] + 1))
    place = np.linspace(0, 1, POINTS) * (length - 1)  # (n, POINTS), in points of the padded curve
    curves = (CURVES - CURVES.mean(1, keepdims=True)) / CURVES.std(1, keepdims=True)
    curves = np.pad((curves - curves[:, :1]) / 6, ((0, 0), (0, 2)))
    before = np.minimum(place.astype(int), 12)
    between = np.minimum(place - before, 1)
    here, next_ = (curves[labels[:, None], before + k] for k in (0, 1))
    x = (here + between * (next_ - here)) * (1 + SCALE * (factor - 0.5))
    source = (np.arange(POINTS) - np.floor(shift * SHIFTS).astype(int)) % POINTS
    x, on_curve = (np.take_along_axis(a, source, axis=1) for a in (x, place < 12))
    x = np.where(on_curve, x, _smooth(SMOOTH_NOISE * _normal(n, POINTS, "smooth")))
    x = x + WHITE_NOISE * _normal(n, POINTS, "white")
    x = x - SHEAR * (slope - 0.5) * np.linspace(-0.5, 0.5, POINTS)
    place = np.linspace(0, POINTS - 1, LENGTH)
    before = np.minimum(place.astype(int), POINTS - 2)
    return x[:, before] + (place - before) * (x[:, before + 1] - x[:, before])


def _smooth(noise: np.ndarray) -> np.ndarray:
    """Each row by a Gaussian that ends after four deviations; beyond its ends a row is mirrored."""
    reach = int(4 * SMOOTHING + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTHING) ** 2)
    weights /= weights.sum()
    padded = np.pad(noise, ((0, 0), (reach, reach)), mode="symmetric")
    return sum(w * padded[:, k : k + noise.shape[1]] for k, w in enumerate(weights))


def _uniform(*shape_and_purpose: Any) -> np.ndarray:
    """Numbers in [0, 1) from raw ones, which NumPy fixes for all time."""
    *shape, purpose = shape_and_purpose
    raw = numpy_stream("mnist1d", purpose).bit_generator.random_raw(math.prod(shape))
    return (raw >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-53


def _normal(*shape_and_purpose: Any) -> np.ndarray:
    """Standard normal numbers, by Box and Muller's transformation."""
    *shape, purpose = shape_and_purpose
    radius, angle = (_uniform(*shape, f"{purpose} {part}") for part in ("radius", "angle"))
    return np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)
