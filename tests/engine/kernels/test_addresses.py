"""The tables name every tensor and every element once."""

import torch

from sweeper.engine.kernels.addresses import Addresses, blocks, in_same_order, is_dense


def test_addresses_are_the_tensors_and_may_be_written_again():
    tensors = [torch.zeros(size) for size in (3, 100, 1)]
    addresses = Addresses(3, torch.device("cpu"))
    for order in (tensors, tensors[::-1]):
        addresses.write(order)
        assert addresses.table.tolist() == [tensor.data_ptr() for tensor in order]


def test_blocks_cover_every_element_once():
    tensors = [torch.zeros(shape) for shape in ((7,), (4, 4), (3, 11), (1,))]
    table = blocks(tensors, 8)
    covered = [(k, e) for k, block, size in table.tolist() for e in range(block * 8, min(size, block * 8 + 8))]
    assert covered == [(k, e) for k, tensor in enumerate(tensors) for e in range(tensor.numel())]


def test_orders_in_memory():
    last, plain, one = torch.channels_last, torch.zeros(4, 3, 2, 2), torch.zeros(4, 3, 1, 1)
    assert in_same_order(plain, plain.clone()) and not in_same_order(plain, plain.to(memory_format=last))
    assert in_same_order(plain.to(memory_format=last), torch.zeros_like(plain.to(memory_format=last)))
    assert in_same_order(one, one.to(memory_format=last)) and not in_same_order(plain, torch.zeros(3, 4, 2, 2))
    assert is_dense(plain.to(memory_format=last)) and not is_dense(plain.mT) and not is_dense(torch.zeros(4, 6)[:, ::2])
