"""The kernel takes the batches that torch's operators take."""

import pytest
import torch
from interpreted import DEVICE, in_the_interpreter, on_a_gpu

from sweeper.datasets.data import load_run_data
from sweeper.engine.augment import Batches, EpochOrder
from tests.engine.test_textbook import configure

WHERE = torch.device(DEVICE)


def check_against_plain(padding: int, flip: bool) -> None:
    batches = Batches(load_run_data(configure()), padding, flip, WHERE)
    batches.by_kernel = True
    order = EpochOrder(len(batches), padding, WHERE)
    order.draw(1, 1)
    places = torch.arange(5, 50, device=WHERE)
    images, labels, index = batches.take(order, places)
    expected = batches.take_plainly(order, places)
    assert images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(images, expected[0], rtol=1e-6, atol=1e-6)
    assert torch.equal(labels, expected[1]) and torch.equal(index, expected[2])


@in_the_interpreter
@pytest.mark.parametrize(("padding", "flip"), [(0, False), (0, True), (4, False), (4, True)])
def test_the_kernel_takes_the_same_batches(padding, flip):
    check_against_plain(padding, flip)


@pytest.mark.cuda
@on_a_gpu
@pytest.mark.parametrize(("padding", "flip"), [(0, False), (0, True), (4, False), (4, True)])
def test_on_a_gpu(padding, flip):
    assert Batches(load_run_data(configure()), padding, flip, WHERE).by_kernel
    check_against_plain(padding, flip)
