"""The same key gives the same numbers on every machine: these are fixed for good."""

import torch

from sweeper.system.random_streams import numpy_stream, stream_seed, torch_stream


def test_a_key_gives_its_own_number():
    assert stream_seed(1, 12, "crop") == 1870257627767085014
    assert len({stream_seed(*key) for key in [(1, 1, "order"), (1, 1, "crop"), (1, 2, "order"), (2, 1, "order")]}) == 4
    assert 0 <= stream_seed("any") < 2**63


def test_a_stream_is_repeatable_and_leaves_the_global_one_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    draws = [torch.rand(3, generator=torch_stream(1, 2, "flip")) for _ in range(2)]
    assert torch.equal(*draws) and torch.equal(before, torch.get_rng_state())
    raw = [numpy_stream("noise", 0).bit_generator.random_raw(2).tolist() for _ in range(2)]
    assert raw[0] == raw[1] == [1786090389978032165, 1395100447431018081]
