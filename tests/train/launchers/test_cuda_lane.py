"""A lane's own stream and random numbers, with CUDA's part of torch made up."""

import gc
import weakref

import pytest
import torch

from sweeper.train.launchers.cuda_lane import Cuda
from sweeper.train.launchers.lanes import Host


class Generator:
    """Draws from a state that can be exchanged for another one, as CUDA's does."""

    def __init__(self, state):
        self.state = state

    def clone_state(self):
        return Generator(list(self.state))

    def graphsafe_get_state(self):
        return Generator(self.state)

    def graphsafe_set_state(self, other):
        self.state = other.state

    def seed(self, seed):
        self.state[0] = 100 * seed

    def draw(self):
        self.state[0] += 1
        return self.state[0]


class Stream:
    def __init__(self, name, trace):
        self.name, self.trace = name, trace

    def __enter__(self):
        self.trace.append(f"enter {self.name}")

    def __exit__(self, *exception):
        self.trace.append(f"leave {self.name}")


@pytest.fixture
def cuda(monkeypatch):
    """What streams were entered and left, and the GPU's generator."""
    trace, names, generator = [], iter("ab"), Generator([7])
    monkeypatch.setattr(torch.cuda, "Stream", lambda: next(names))
    monkeypatch.setattr(torch.cuda, "stream", lambda name: Stream(name, trace))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "default_generators", (generator,))
    yield trace, generator
    gc.unfreeze()


def test_each_lane_draws_as_if_it_were_alone(cuda):
    trace, generator = cuda
    device = Cuda()
    lanes = [device.place(), device.place()]
    drawn = [[], []]
    for turn in range(3):
        for seed, (lane, mine) in enumerate(zip(lanes, drawn, strict=True)):
            with lane:
                if turn == 0:
                    torch.manual_seed(seed)
                    generator.seed(seed)
                mine.append((torch.rand(()).item(), generator.draw()))
    assert trace == ["enter a", "leave a", "enter b", "leave b"] * 3
    assert generator.draw() == 8  # outside of them nothing has changed
    for seed, mine in enumerate(drawn):
        torch.manual_seed(seed)
        generator.seed(seed)
        assert mine == [(torch.rand(()).item(), generator.draw()) for _ in range(3)]


def test_an_error_in_a_lane_is_passed_on_and_its_stream_left(cuda):
    trace, _ = cuda
    with pytest.raises(ValueError), Cuda().place():
        raise ValueError
    assert trace == ["enter a", "leave a"]


def test_a_runs_memory_is_freed_without_searching_what_was_there_before(cuda):
    class Run:
        pass

    device, run = Cuda(), Run()
    run.itself, gone = run, weakref.ref(run)
    assert gc.get_freeze_count() > 10_000, "all modules, among others"
    del run
    device.collect()
    assert gone() is None


def test_what_one_launch_leaves_is_freed_by_the_next(cuda):
    """A search has a launch for each batch of its trials."""

    class Batch:
        pass

    batch = Batch()
    batch.itself, gone = batch, weakref.ref(batch)
    Cuda()
    del batch
    Cuda()
    assert gone() is None


def test_the_host_serves_one_run_and_sets_nothing():
    assert not Host.several and Cuda.several
    torch.manual_seed(0)
    with Host().place():
        first = torch.rand(())
    torch.manual_seed(0)
    assert torch.rand(()) == first
