"""Whose turn it is: the scheduler over made-up runs, with events, a clock and a device that tests move."""

import pytest

from sweeper.engine.memory import DeviceLost, NoRoom
from sweeper.engine.pace import Turn
from sweeper.train.launchers.lanes import Host, Lanes


class FakeDevice(Host):
    """Serves several runs; notes what is asked of it."""

    several = True

    def __init__(self):
        self.freed, self.shared = 0, []

    def share(self, shared):
        self.shared.append(shared)

    def free_memory(self):
        self.freed += 1


class FakeEvent:
    """Is reached after `asked` questions, or when somebody waits for it."""

    def __init__(self, name, asked, waited):
        self.name, self.asked, self.waited = name, asked, waited

    def query(self):
        self.asked -= 1
        return self.asked < 0

    def synchronize(self):
        self.waited.append(self.name)
        self.asked = 0


class Lost:
    """An event of a device that is gone."""

    def query(self):
        raise RuntimeError("CUDA error: unspecified launch failure")

    synchronize = query


def steps_of(name, length, trace, error=None):
    """A run of `length` steps that writes each into `trace`, and ends with its name or with `error`."""

    def begin():
        for k in range(length):
            trace.append(f"{name}{k}")
            yield Turn()
        if error is not None:
            raise error
        return name

    return begin


def run(begins, limit, device=None):
    scheduler = Lanes(iter(enumerate(begins)), device or FakeDevice(), limit)
    return scheduler.run(), scheduler


def test_lanes_take_turns_and_a_free_one_takes_the_next_run():
    trace = []
    outcomes, _ = run([steps_of("a", 3, trace), steps_of("b", 1, trace), steps_of("c", 2, trace)], 2)
    assert trace == ["a0", "b0", "a1", "a2", "c0", "c1"]  # b ends in its second turn, then c begins
    assert outcomes == {0: "a", 1: "b", 2: "c"}


def test_a_device_that_serves_one_run_gets_one_at_a_time():
    trace = []
    run([steps_of("a", 2, trace), steps_of("b", 2, trace)], 2, Host())
    assert trace == ["a0", "a1", "b0", "b1"]
    trace.clear()
    run([steps_of("a", 2, trace), steps_of("b", 2, trace)], lambda lanes: 2, Host())
    assert trace == ["a0", "a1", "b0", "b1"]


@pytest.mark.parametrize(("limit", "places"), [(1, 0), (2, 2), (lambda lanes: lanes.fill() + 1, 1)])
def test_a_single_lane_is_as_a_run_without_lanes(monkeypatch, limit, places):
    """A run that begins alone keeps the process's own stream and random generator, also when others begin beside it."""
    device, given = FakeDevice(), []
    monkeypatch.setattr(device, "place", lambda: given.append("place") or Host.place(device), raising=False)
    run([steps_of(name, 2, []) for name in "ab"], limit, device)
    assert len(given) == places


@pytest.mark.parametrize(("limit", "shared"), [(1, [False]), (2, [True]), (lambda lanes: 2, [False, True])])
def test_the_engine_knows_whether_runs_take_turns(limit, shared):
    """By it a step has branches, or not; at the end the process is as before."""
    device = FakeDevice()
    run([steps_of(name, 2, []) for name in "ab"], limit, device)
    assert device.shared == [*shared, False]


def test_runs_are_begun_only_when_a_lane_is_free():
    begun, trace = [], []

    def starts():
        for k, name in enumerate("abc"):
            begun.append((name, len(trace)))
            yield k, steps_of(name, 2, trace)

    Lanes(starts(), FakeDevice(), 1).run()
    assert begun == [("a", 0), ("b", 2), ("c", 4)]


def test_an_exception_in_one_lane_leaves_the_others_alone():
    trace, error = [], ValueError("broken")
    outcomes, _ = run([steps_of("a", 1, trace, error), steps_of("b", 3, trace), steps_of("c", 1, trace)], 2)
    assert outcomes == {0: error, 1: "b", 2: "c"}
    assert trace == ["a0", "b0", "b1", "b2", "c0"]


def test_a_lane_that_waits_for_the_device_is_passed_over():
    trace, waited = [], []

    def waiting():
        trace.append("w0")
        yield Turn(event=FakeEvent("w", asked=2, waited=waited))
        trace.append("w1")

    run([waiting, steps_of("a", 5, trace)], 2)
    assert trace == ["w0", "a0", "a1", "a2", "w1", "a3", "a4"]
    assert waited == []


def test_when_all_wait_the_first_whose_event_is_reached_goes_on():
    trace, waited = [], []

    def waiting(name, lengths):
        def begin():
            for k, asked in enumerate(lengths):
                trace.append(f"{name}{k}")
                yield Turn(event=FakeEvent(f"{name}{k}", asked, waited))

        return begin

    run([waiting("a", [9, 0]), waiting("b", [4, 0, 0])], 2)
    assert trace == ["a0", "b0", "b1", "b2", "a1"]
    assert waited == ["a0"], "the last one is waited for without looking again and again"


def test_an_event_of_a_lost_device_lets_its_run_meet_the_error_itself():
    def meets_it():
        yield Turn(event=Lost())
        raise DeviceLost("gone")

    with pytest.raises(DeviceLost):
        run([meets_it], 1)


def test_a_lost_device_closes_all_runs_where_they_stand():
    closed, trace = [], []

    def long():
        try:
            while True:
                yield Turn()
        finally:
            closed.append("long")

    def loses():
        yield Turn()
        raise DeviceLost("gone")

    begins = [long, loses, steps_of("never", 1, trace)]
    scheduler = Lanes(iter(enumerate(begins)), FakeDevice(), 2)
    with pytest.raises(DeviceLost):
        scheduler.run()
    assert closed == ["long"] and trace == [] and scheduler.outcomes == {}


def test_a_run_that_cannot_be_closed_keeps_no_other_from_it():
    closed = []

    def stubborn():
        try:
            yield Turn()
            yield Turn()
        finally:
            raise RuntimeError("CUDA error")

    def long():
        try:
            while True:
                yield Turn()
        finally:
            closed.append("long")

    def loses():
        yield Turn()
        raise DeviceLost("gone")

    with pytest.raises(DeviceLost):
        run([loses, stubborn, long], 3)
    assert closed == ["long"]


# Memory


def needs_room(name, trace, at_work, room):
    """A run that fits only beside fewer than `room` others."""

    def begin():
        at_work.add(name)
        try:
            for k in range(3):
                if len(at_work) > room:
                    raise NoRoom(f"{name}: out of memory")
                trace.append(f"{name}{k}")
                yield Turn()
        finally:
            at_work.discard(name)
        return name

    return begin


def test_without_room_there_are_fewer_lanes_and_the_run_comes_again(capsys):
    trace, at_work, device = [], set(), FakeDevice()
    outcomes, scheduler = run([needs_room(name, trace, at_work, 2) for name in "abcd"], 3, device)
    assert outcomes == {0: "a", 1: "b", 2: "c", 3: "d"}
    assert scheduler.limit == 2 and device.freed == 1
    assert trace[:4] == ["a0", "b0", "a1", "b1"]
    assert trace.count("c0") == 1
    assert capsys.readouterr().err == "c: out of memory: going on with 2 at a time\n"


def test_alone_a_run_without_room_is_not_tried_for_ever():
    def never_fits():
        raise NoRoom("x")
        yield Turn()

    outcomes, _ = run([never_fits], 1)
    assert isinstance(outcomes[0], NoRoom)
