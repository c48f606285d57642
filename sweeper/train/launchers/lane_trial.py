"""`lanes=auto`: measures how fast 1, 2, ... runs at a time are, while they train.

The first run begins alone, as a run without lanes does, and is measured so. Then one run after the other begins beside
it. A measurement contains all that lasting runs do: steps, evaluation, what lies between epochs. It doesn't contain
what a run does once, such as capturing CUDA graphs. Different models and optimizers can be mixed, since the work of
each kind of run counts as the seconds that it takes alone.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sweeper.system.terminal import tell
from sweeper.train.launchers.lane_gains import LANES, Gains, choose_lanes, is_past_the_best
from sweeper.train.launchers.lanes import Lane, Lanes

PIECE = 1.0  # seconds of a measurement with one or more runs at a time
PIECE_OF_KIND = 0.5  # seconds of a measurement of what the work of a kind of run takes alone
CLOSE = 0.015  # two measurements that differ by less are enough
FEW, MOST = 2, 5  # measurements of each number of lanes
PATIENCE = 60.0  # seconds of all measurements
TOO_SHORT = 3  # runs that end, or times that runs prepare something, in a row, before a measurement could be finished


class Trial:
    """Finds the number of lanes for `Lanes`.

    Args:
        runs: how many runs there are in all.
        kinds: the kind of each run by its number; runs of a kind have equally long steps. One without is its own kind.
        learned: called with the gains, see `sweeper.train.launchers.lane_gains`, unless other processes used the device
            while they were measured.
    """

    def __init__(
        self, runs: int, kinds: Mapping[int, str], learned: Callable[[Gains], None] = lambda gains: None
    ) -> None:
        self.runs, self._kinds, self._learned = runs, kinds, learned
        self.gains: dict[int, float] = {}
        self.over = False
        self._lanes: Lanes[Any]
        self._first = ""  # the kind of the run that was measured alone
        self._alone = 0.0  # its passes per second
        self._in_lane: dict[str, float] = {}  # passes per second of a kind of run that trains alone but in a lane
        self._spent = 0.0  # seconds of measurements
        self._disturbed = False  # other processes used the device meanwhile

    def __call__(self, lanes: Lanes[Any]) -> int:
        """Train the first runs with 1, 2, ... at a time. Returns the best number."""
        self._lanes = lanes
        for n in LANES:
            if n > self.runs:
                break
            lanes.set_limit(n)
            gain = self._gain_alone() if n == 1 else self._repeat(partial(self._gain, n))
            if gain is not None:
                self.gains[n] = gain
            elif lanes.limit < n:
                self.gains[n] = 0.0  # there is no room for them
            else:
                break
            if is_past_the_best(self.gains):
                break
        best = choose_lanes(self.gains, self.runs) if self.gains else 1
        if len(self.gains) > 1:
            tell(f"lanes=auto: {describe(self.gains, best)}")
        if self.gains and self._disturbed:
            tell("lanes=auto: other runs used this GPU meanwhile, so these speeds aren't kept; the next sweep measures")
        elif self.gains:
            self._learned(self.gains)
        self.over = True
        return max(1, min(best, lanes.limit))

    def _gain_alone(self) -> float | None:
        """Measure the first run alone, by which the gains are defined; None if runs are too short."""
        lanes = self._lanes
        for _ in range(TOO_SHORT):
            while lanes.fill() and lanes.lanes[0].turn == 0:
                lanes.round(lanes.lanes)  # a finished run ends at once
            if not lanes.lanes:
                return None
            lane = lanes.lanes[0]
            if (rate := self._repeat(partial(self._measure, [lane], PIECE))) is not None:
                self._first, self._alone = self._kind(lane), rate
                return 1.0
        return None

    def _gain(self, n: int) -> float | None:
        """Measure n lanes once. None if there are too few runs, too little memory, or no time left."""
        lanes = self._lanes
        for _ in range(2 * n + TOO_SHORT):
            if self._are_mixed() and (lane := self._unknown()) is not None:
                rate = self._measure([lane], PIECE_OF_KIND)
                if rate is not None:
                    self._in_lane[self._kind(lane)] = rate
                elif not self._goes_on():
                    return None
                continue
            if not lanes.fill() or len(lanes.lanes) < n or lanes.limit < n or not self._goes_on():
                return None
            if self._are_mixed() and self._unknown() is not None:
                continue
            if (gain := self._measure(list(lanes.lanes), PIECE, self._seconds_alone)) is not None:
                return gain
        return None

    def _repeat(self, measure: Callable[[], float | None]) -> float | None:
        """The mean of a few measurements, more if they scatter; None if there is none."""
        found: list[float] = []
        while len(found) < FEW or (len(found) < MOST and max(found) - min(found) > CLOSE * max(found)):
            if (value := measure()) is None:
                break
            found.append(value)
        return sum(found) / len(found) if found else None

    def _measure(
        self, measured: list[Lane[Any]], seconds: float, weight: Callable[[Lane[Any]], float] = lambda lane: 1.0
    ) -> float | None:
        """The work of these lanes per second, in passes times `weight`; None if a run ends.

        It begins and ends when the device has done all its work, since the host runs ahead. If a run prepares something
        meanwhile, the measurement begins anew.
        """
        lanes, clock = self._lanes, self._lanes.clock
        while self._goes_on():
            lanes.round([lane for lane in measured if lane.turn == 0] or measured)
            if any(lane not in lanes.lanes for lane in measured):
                return None
            if any(lane.turn == 0 for lane in measured):
                continue
            lanes.device.synchronize()
            begun, prepared = clock(), lanes.work.preparations
            before = [lane.passes for lane in measured]
            while clock() - begun < seconds and lanes.work.preparations == prepared:
                lanes.round(measured)
                if any(lane not in lanes.lanes for lane in measured):
                    return None
            if lanes.work.preparations != prepared:
                continue
            lanes.device.synchronize()
            elapsed = clock() - begun
            self._spent += elapsed
            self._disturbed |= lanes.device.is_used_by_others()
            done = sum((lane.passes - b) * weight(lane) for lane, b in zip(measured, before, strict=True))
            return done / elapsed
        return None

    def _goes_on(self) -> bool:
        return self._spent < PATIENCE

    def _kind(self, lane: Lane[Any]) -> str:
        return self._kinds.get(lane.number, str(lane.number))

    def _are_mixed(self) -> bool:
        return len(set(self._kinds.values())) != 1

    def _unknown(self) -> Lane[Any] | None:
        """A lane with a run of a kind that hasn't been measured in a lane yet."""
        return next((lane for lane in self._lanes.lanes if self._kind(lane) not in self._in_lane), None)

    def _seconds_alone(self, lane: Lane[Any]) -> float:
        """The seconds of a pass of this lane's run if it has the GPU to itself.

        Kinds are compared in lanes, where a step has no branches; what the branches gain is known of the first kind.
        """
        in_lane = self._in_lane.get(self._first, self._alone)
        return 1 / self._alone * in_lane / self._in_lane.get(self._kind(lane), in_lane)


def describe(gains: Gains, best: int) -> str:
    """The choice in words, with what was measured."""
    if best == 1:
        others = ", ".join(f"{n}: {gain:.2f}" for n, gain in sorted(gains.items()) if n > 1 and gain)
        return f"one at a time, since several are not faster in total (relative speed by their number: {others})"
    return f"{best} at a time, {gains[best]:.2f} times as fast as one after another"
