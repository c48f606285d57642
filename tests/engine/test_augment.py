"""Batches are torchvision's transforms of the images that an epoch's order names, drawn by seed and epoch."""

import pytest
import torch
from torchvision.transforms import functional as transforms

from sweeper.datasets.data import load_run_data
from sweeper.engine.augment import Batches, EpochOrder, build_batches
from tests.engine.test_textbook import IMAGES, configure, normalize

CPU = torch.device("cpu")


def test_the_order_of_an_epoch_belongs_to_seed_and_epoch_alone():
    def draw(seed: int, epoch: int) -> EpochOrder:
        order = EpochOrder(100, 2, torch.device("cpu"))
        order.draw(seed, epoch)
        return order

    torch.manual_seed(0)
    first = draw(1, 1)
    torch.manual_seed(99)
    again = draw(1, 1)
    assert all(torch.equal(getattr(first, k), getattr(again, k)) for k in ("index", "crop", "flip"))
    assert sorted(first.index.tolist()) == list(range(100))
    assert first.crop.min() == 0 and first.crop.max() == 4
    assert not torch.equal(first.index, draw(1, 2).index) and not torch.equal(first.index, draw(2, 1).index)


def test_batches_are_torchvisions_transforms():
    """Padded by black, cropped, mirrored, and only then normalized; pixel for pixel, for the same draws."""
    data = load_run_data(configure())
    batches, order = Batches(data, 4, True, CPU), EpochOrder(IMAGES, 4, CPU)
    order.draw(1, 1)
    places = torch.arange(10, IMAGES)
    images, labels, index = batches.take(order, places)
    assert torch.equal(index, order.index[places]) and torch.equal(labels, data.train.labels[index])
    draws = zip(images, index.tolist(), order.crop[places].tolist(), order.flip[places].tolist(), strict=True)
    for image, place, (top, left), mirror in draws:
        expected = transforms.crop(transforms.pad(data.train.images[place], 4), top, left, 32, 32)
        expected = transforms.hflip(expected) if mirror else expected
        torch.testing.assert_close(image, normalize(expected, data), rtol=1e-5, atol=2e-6)
        pixels = (image * data.std[:, None, None] + data.mean[:, None, None]) * 255
        assert torch.equal(pixels.round().to(torch.uint8), expected)


@pytest.mark.parametrize("flip", [False, True])
def test_windows_on_the_cpu_give_the_bits_of_a_gather_by_pixels(flip):
    batches, order = Batches(load_run_data(configure()), 4, flip, CPU), EpochOrder(IMAGES, 4, CPU)
    order.draw(1, 1)
    windows = batches.take_plainly(order, torch.arange(IMAGES))
    batches.windows = None  # as on other devices
    pixels = batches.take_plainly(order, torch.arange(IMAGES))
    assert all(torch.equal(a, b) and a.stride() == b.stride() for a, b in zip(windows, pixels, strict=True))


def test_crops_are_uniform_and_half_of_the_images_are_mirrored():
    """By chi-squared over 9 × 9 places × mirrored or not, over all images of an epoch of CIFAR-10 and of two epochs."""
    n = 50_000
    counts = torch.zeros(9, 9, 2)
    for epoch in (1, 2):
        order = EpochOrder(n, 4, CPU)
        order.draw(1, epoch)
        assert torch.equal(order.index.sort().values, torch.arange(n))
        cells = torch.stack([*order.crop.T, order.flip.long()])
        counts.index_put_(tuple(cells), torch.ones(n), accumulate=True)
        expected = epoch * n / counts.numel()
        chi_squared = ((counts - expected) ** 2 / expected).sum().item()
        degrees = counts.numel() - 1
        assert abs(chi_squared - degrees) < 4 * (2 * degrees) ** 0.5


@pytest.mark.parametrize("flip", [False, True])
def test_without_padding_an_image_is_itself_or_its_mirror_image(flip):
    data = load_run_data(configure())
    batches, order = Batches(data, 0, flip, CPU), EpochOrder(IMAGES, 0, CPU)
    order.draw(1, 1)
    images, _, index = batches.take(order, torch.arange(IMAGES))
    expected = normalize(data.train.images[index], data)
    if flip:
        expected[order.flip] = expected[order.flip].flip(3)
    torch.testing.assert_close(images, expected, rtol=1e-5, atol=2e-6)
    assert 0 < order.flip.sum() < IMAGES


def test_runs_of_one_process_share_the_images_of_the_same_data():
    data = load_run_data(configure())
    assert build_batches(data, 4, True, CPU) is build_batches(data, 4, True, CPU)
    assert build_batches(data, 4, False, CPU) is not build_batches(data, 4, True, CPU)
