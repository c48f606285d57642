"""`lanes=auto`: how many runs at a time, by a trial over made-up runs and a clock that tests move."""

import pytest

from sweeper.engine.memory import NoRoom
from sweeper.engine.pace import Turn
from sweeper.train.launchers.cuda_lane import Host
from sweeper.train.launchers.lanes import Lane, Lanes

# lanes=auto


class Model:
    """A device that does `speed[n]` steps a second with n lanes at work, the steps of all lanes alike.

    Its clock moves with the steps; the host runs ahead of it and is told so by `synchronize`.
    """

    several = True

    def __init__(self, speed, ahead=0.05):
        self.speed, self.ahead, self.now, self.owed = speed, ahead, 0.0, 0.0
        self.at_work = []  # names in the order of the latest steps

    def place(self):
        return Host().place()

    def synchronize(self):
        self.now += self.owed
        self.owed = 0.0

    def collect(self):
        pass

    def free_memory(self):
        self.synchronize()

    def clock(self):
        self.now += 1e-4  # the host's own time
        return self.now

    def step(self, name, cost=1.0):
        self.at_work = [*self.at_work[-11:], name]
        lanes_at_work = len(set(self.at_work[-6:]))
        self.owed += cost / self.speed[min(lanes_at_work, len(self.speed) - 1)]
        if self.owed > self.ahead:  # seconds by which the host may run ahead
            self.synchronize()


def auto(model, count, length, cost=lambda k: 1.0):
    trace = []

    def begin(k):
        def steps():
            for i in range(length):
                model.step(k, cost(k))
                trace.append((k, i))
                yield Turn()
            return k

        return steps

    scheduler = Lanes(((k, begin(k)) for k in range(count)), model, "auto", model.clock)
    limits = []
    fill, try_out = scheduler._fill, scheduler._try_out

    def fill_and_note():
        limits.append(scheduler.limit)
        return fill()

    def try_out_and_note():
        found = try_out()
        trace.append(None)  # the trial ends here
        return found

    scheduler._fill, scheduler._try_out = fill_and_note, try_out_and_note
    return scheduler.run(), scheduler, trace, limits


@pytest.mark.parametrize(
    ("speed", "best"),
    [
        ((0, 100, 119, 124, 129, 129, 125), 4),  # as an H100 was measured, in the same proportions
        ((0, 100, 101, 101, 101, 101, 101), 1),  # one run fills the device
        ((0, 100, 150, 151, 152, 152, 152), 2),  # within 2 % of the best
        ((0, 100, 200, 300, 400, 500, 600), 6),
    ],
)
def test_auto_keeps_the_fewest_lanes_within_two_per_cent_of_the_best(speed, best, capsys):
    outcomes, scheduler, trace, limits = auto(Model(speed), count=7, length=2500)
    assert max(limits) == 6 and limits[-1] == best == scheduler.limit
    assert f"lanes=auto: {best} at a time, {speed[best] / speed[1]:.1f}" in capsys.readouterr().err
    assert outcomes == {k: k for k in range(7)}
    trial = trace.index(None)
    assert {run for run, _ in trace[trial + 1 : trial + 101]} == set(range(best))  # the surplus lanes pause
    for k in range(7):  # and go on: every step is taken once, in order
        assert [step[1] for step in trace if step and step[0] == k] == list(range(2500))


def test_auto_weighs_steps_by_what_they_take_alone():
    """A second lane with ten times as long steps makes fewer steps a second, and yet the device does more."""
    costs = [1.0, 10.0, 10.0]
    outcomes, scheduler, _, _ = auto(Model((0, 1000, 1300, 1300)), 3, 20_000, lambda k: costs[k])
    assert scheduler.limit == 2 and len(outcomes) == 3


def test_auto_measures_the_device_and_not_the_host_that_runs_ahead():
    model = Model((0, 100, 100, 100), ahead=1e9)
    scheduler = Lanes(iter(()), model, "auto", model.clock)
    lane = Lane(0, None, iter(lambda: model.step(0) or Turn(), object()), Host().place())
    scheduler.lanes.append(lane)
    assert scheduler._throughput([lane]) == pytest.approx(100, rel=0.02)


def test_auto_ends_with_the_runs(capsys):
    outcomes, _, _, limits = auto(Model((0, 100, 150, 200)), count=2, length=800)
    assert outcomes == {0: 0, 1: 1}
    assert max(limits) == 3  # a third lane found no run
    assert "lanes=auto: 2 at a time, 1.5" in capsys.readouterr().err


def test_auto_stays_with_what_it_has_when_runs_are_too_short_to_be_timed(capsys):
    outcomes, scheduler, _, _ = auto(Model((0, 100, 100, 100)), count=100, length=100)  # a second each
    assert len(outcomes) == 100 and scheduler.limit == 1 and capsys.readouterr().err == ""


def test_auto_tries_no_more_lanes_than_the_memory_holds():
    model, at_work = Model((0, 100, 200, 300, 400)), set()

    def begin(name):
        def steps():
            at_work.add(name)
            try:
                for _ in range(3000):
                    if len(at_work) > 2:
                        raise NoRoom(f"{name}: out of memory")
                    model.step(name)
                    yield Turn()
            finally:
                at_work.discard(name)
            return name

        return steps

    scheduler = Lanes(((k, begin(k)) for k in range(5)), model, "auto", model.clock)
    assert scheduler.run() == {k: k for k in range(5)}
    assert scheduler.limit == 2


def test_a_failure_in_the_trial_leaves_the_others_alone():
    model = Model((0, 100, 150, 150))

    def fails():
        for _ in range(50):
            model.step("f")
            yield Turn()
        raise ValueError("broken")

    def good():
        for _ in range(2000):
            model.step("g")
            yield Turn()
        return "good"

    outcomes = Lanes(iter(enumerate([good, fails])), model, "auto", model.clock).run()
    assert outcomes[0] == "good" and isinstance(outcomes[1], ValueError)
