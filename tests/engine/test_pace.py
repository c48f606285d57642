"""Bursts take about 15 ms whatever a step takes, and the host is at most two of them ahead."""

from collections import deque

import pytest

from sweeper.engine.pace import BURST, Pace


class Gpu:
    """A device that takes `step` seconds for each step that it is given; the host's clock is moved by tests."""

    def __init__(self, step):
        self.step, self.now, self.busy_until = step, 0.0, 0.0

    def work(self, steps):
        self.busy_until = max(self.now, self.busy_until) + steps * self.step


class Event:
    def __init__(self, gpu):
        self.gpu, self.time = gpu, max(gpu.now, gpu.busy_until)

    def query(self):
        return self.gpu.now >= self.time

    def synchronize(self):
        self.gpu.now = max(self.gpu.now, self.time)

    def elapsed_time(self, other):
        return 1e3 * (other.time - self.time)


def drive(gpu, pace, epochs, steps):
    """The steps of each burst, and the most seconds of work that the device had before it."""
    bursts, ahead = [], 0.0
    for _ in range(epochs):
        pace.begin()
        done = 0
        while done < steps:
            count = min(pace.left, steps - done)
            ahead = max(ahead, gpu.busy_until - gpu.now)
            gpu.work(count)
            done += count
            bursts.append(count)
            gpu.now += 1e-4
            if (turn := pace.after(count)) is not None:
                turn.wait()
        pace.until(None)
    return bursts, ahead


@pytest.fixture
def on(monkeypatch):
    def make(step):
        gpu = Gpu(step)
        monkeypatch.setattr(Pace, "_record", lambda self: Event(gpu))
        return gpu, Pace("cuda")

    return make


@pytest.mark.parametrize("step", [1e-5, 1e-4, 2e-3, 0.014, 0.2])
def test_a_burst_takes_about_15_ms_and_at_least_one_step(on, step):
    gpu, pace = on(step)
    bursts, ahead = drive(gpu, pace, epochs=2, steps=20_000)
    assert bursts[0] == 1 and bursts[1] <= 4
    longest = max(bursts) * step
    assert longest <= BURST + step / 2 + 1e-9 or max(bursts) == 1
    assert longest > 0.7 * BURST
    assert ahead <= 2 * max(BURST + step, step)


def test_epochs_that_are_shorter_than_a_burst_are_whole_bursts(on):
    gpu, pace = on(1e-4)
    bursts, _ = drive(gpu, pace, epochs=10, steps=22)
    assert bursts[-3:] == [22, 22, 22]


def test_what_the_device_does_between_epochs_is_no_part_of_its_steps(on):
    gpu, pace = on(1e-3)
    drive(gpu, pace, epochs=1, steps=200)
    before = pace.burst
    gpu.busy_until += 10.0  # an evaluation
    bursts, _ = drive(gpu, pace, epochs=1, steps=200)
    assert before == pace.burst == 15 and set(bursts[:-1]) == {15}


def test_steps_that_become_slower_shorten_the_bursts(on):
    gpu, pace = on(1e-4)
    drive(gpu, pace, epochs=1, steps=2000)
    gpu.step = 1e-3
    bursts, _ = drive(gpu, pace, epochs=1, steps=2000)
    assert bursts[-2] == 15


def test_other_devices_take_single_steps_and_wait_for_nothing():
    pace = Pace("cpu")
    pace.begin()
    turns = deque(pace.after(1) for _ in range(100))
    assert pace.burst == 1 and all(turn.event is None and turn.steps == 1 for turn in turns)
    assert pace.now().event is None and pace.now().steps == 0
