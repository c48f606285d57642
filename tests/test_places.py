"""A lane's own stream and random numbers, with CUDA's part of torch made up."""

import contextlib

import pytest
import torch

from sweeper.places import Cuda, Host


@pytest.fixture
def cuda(monkeypatch):
    """A GPU whose random state is a number; returns what streams were entered and left."""
    trace, gpu = [], {"state": torch.zeros(1)}

    def state():
        return gpu["state"].clone()

    @contextlib.contextmanager
    def stream(name):
        trace.append(f"enter {name}")
        yield
        trace.append(f"leave {name}")

    class Reusable:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            self.entered = stream(self.name)
            self.entered.__enter__()

        def __exit__(self, *exception):
            self.entered.__exit__(None, None, None)

    names = iter("ab")
    monkeypatch.setattr(torch.cuda, "Stream", lambda: next(names))
    monkeypatch.setattr(torch.cuda, "stream", Reusable)
    monkeypatch.setattr(torch.cuda, "get_rng_state", state)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state: gpu.update(state=state.clone()))
    return trace, gpu


def draw(gpu):
    gpu["state"] += 1
    return torch.rand(()).item(), gpu["state"].item()


def test_each_lane_draws_as_if_it_were_alone(cuda):
    trace, gpu = cuda
    lanes = [Cuda().place(), Cuda().place()]
    drawn = [[], []]
    for turn in range(3):
        for seed, (lane, mine) in enumerate(zip(lanes, drawn, strict=True)):
            with lane:
                if turn == 0:
                    torch.manual_seed(seed)
                    gpu["state"] = torch.full((1,), 100.0 * seed)
                mine.append(draw(gpu))
    for seed, mine in enumerate(drawn):
        torch.manual_seed(seed)
        gpu["state"] = torch.full((1,), 100.0 * seed)
        assert mine == [draw(gpu) for _ in range(3)]
    assert trace == ["enter a", "leave a", "enter b", "leave b"] * 3


def test_an_error_in_a_lane_is_passed_on_and_its_stream_left(cuda):
    trace, _ = cuda
    with pytest.raises(ValueError), Cuda().place():
        raise ValueError
    assert trace == ["enter a", "leave a"]


def test_the_host_serves_one_run_and_sets_nothing():
    assert not Host.several and Cuda.several
    torch.manual_seed(0)
    with Host().place():
        first = torch.rand(())
    torch.manual_seed(0)
    assert torch.rand(()) == first
