"""The list of runs: GPUs share what is left, and a GPU without a run always takes one."""

import multiprocessing

import pytest

from sweeper.engine.memory import NoRoom
from sweeper.train.launchers.run_list import RunList, Shared


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Gpu:
    """A GPU that trains up to `lanes` runs at a time, each of them slowed down by the others."""

    def __init__(self, runs, lanes, starts_at):
        self.runs, self.lanes, self.starts_at = runs, lanes, starts_at
        self.numbers, self.current, self.done = iter(runs), {}, []

    def advance(self, now, seconds, length):
        if now < self.starts_at:
            return
        while len(self.current) < self.lanes and (number := next(self.numbers, None)) is not None:
            self.current[number] = [length, self.runs.until_its_end(number, steps())]
            next(self.current[number][1])
        for number, (left, run) in list(self.current.items()):
            if left > seconds / len(self.current):
                self.current[number][0] = left - seconds / len(self.current)
                continue
            assert next(run, "ended") == "ended"
            self.done.append(number)
            del self.current[number]


def steps():
    yield


def sweep(count, gpus, lanes, late=0.0):
    """Simulate a sweep of runs that take a second each alone. Returns the GPUs, and when the last run ended."""
    clock, shared = Clock(), Shared.of(multiprocessing, gpus) if gpus > 1 else Shared.alone()
    machines = [
        Gpu(RunList(count, shared, gpu, clock), lanes, clock.now + late * (gpu == gpus - 1)) for gpu in range(gpus)
    ]
    begun = clock.now
    while sum(len(gpu.done) for gpu in machines) < count:
        for gpu in machines:
            gpu.advance(clock.now, 0.01, 1.0)
        clock.now += 0.01
        assert clock.now < begun + 10 * count
    assert sorted(number for gpu in machines for number in gpu.done) == list(range(count))
    return machines, clock.now - begun


@pytest.mark.parametrize(
    ("count", "gpus", "lanes"), [(6, 2, 5), (45, 2, 5), (15, 2, 5), (10, 4, 8), (3, 8, 2), (7, 1, 3)]
)
@pytest.mark.parametrize("late", [0.0, 0.3])
def test_no_gpu_is_idle_while_another_has_more_than_its_share(count, gpus, lanes, late):
    machines, seconds = sweep(count, gpus, lanes, late)
    runs = [len(gpu.done) for gpu in machines]
    assert max(runs) <= -(-count // gpus) and min(runs) >= min(1, count // gpus)
    assert seconds <= -(-count // gpus) + late + 0.1  # the ideal: as many runs on each, and no gap


def test_the_rest_is_taken_when_the_other_gpu_is_gone():
    clock, shared = Clock(), Shared.of(multiprocessing, 2)
    gone, left = (RunList(8, shared, gpu, clock) for gpu in (0, 1))
    numbers = iter(gone)
    assert [next(numbers) for _ in range(4)] == [0, 1, 2, 3]
    gpu = Gpu(left, 5, clock.now)
    while len(gpu.done) < 4:
        gpu.advance(clock.now, 0.01, 1.0)
        clock.now += 0.01
        assert clock.now < 1010
    assert sorted(gpu.done) == [4, 5, 6, 7]


def test_a_run_without_room_counts_until_it_ends():
    shared = Shared.alone()
    runs = RunList(1, shared)
    assert list(runs) == [0]

    def full():
        yield
        raise NoRoom("no room")

    run = runs.until_its_end(0, full())
    next(run)
    with pytest.raises(NoRoom):
        next(run)
    assert shared.held[0] == 1
    assert list(runs.until_its_end(0, steps())) == [None]
    assert shared.held[0] == 0 and shared.longest.value > 0
