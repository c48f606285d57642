"""Advances several runs in turn in one process, and finds out how many at a time are fastest.

A run is a generator, see `sweeper.train.run.run_in_steps`. After each burst of steps it yields a `Turn`, which may have
a CUDA event that must complete before the next. A lane is a place for one run at a time.
"""

import contextlib
import statistics
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sweeper.engine.memory import DeviceLost, NoRoom
from sweeper.engine.pace import Turn
from sweeper.system.terminal import tell

MOST = 6  # the most lanes that lanes=auto tries; in measurements more lanes were only slower
NEAR = 0.98  # the fewest lanes with this share of the best throughput are chosen
SETTLE = 20  # first steps of a run, not timed: they choose kernels and capture graphs
PIECES, PIECE = 8, 0.25  # a throughput is the median of 8 measurements of 0.25 seconds
PATIENCE = 60.0  # seconds after which lanes=auto ends the trial and keeps the current number

T = TypeVar("T")


Steps = Generator[Turn, None, T]


class Device(Protocol):
    """The interface of a device with lanes, implemented in `sweeper.train.launchers.cuda_lane`."""

    several: bool  # whether it can train more than one run at a time

    def place(self) -> AbstractContextManager[None]: ...

    def synchronize(self) -> None: ...

    def collect(self) -> None: ...

    def free_memory(self) -> None: ...


@dataclass(eq=False)
class Lane(Generic[T]):
    """A lane with its current run."""

    number: int
    begin: Callable[[], Steps[T]]
    steps: Steps[T]
    place: AbstractContextManager[None]
    latest: Turn | None = None  # its event must complete before the next
    turn: int = 0  # the number of its latest turn, counted over all lanes
    taken: int = 0  # steps done
    seconds: float | None = None  # measured time of one step if the run trains alone


class Lanes(Generic[T]):
    """Advances the runs of `starts`, `lanes` of them at a time, one burst of steps in turn.

    Args:
        starts: pairs of a run's number and a function that returns its steps; the next is taken when a lane is free.
        lanes: the number of runs at a time, or "auto" to find it by a trial with the first runs. It is 1 if the device
            trains only one run at a time.
    """

    def __init__(
        self,
        starts: Iterator[tuple[int, Callable[[], Steps[T]]]],
        device: Device,
        lanes: int | str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.starts, self.device, self.clock = starts, device, clock
        self.auto = lanes == "auto" and device.several
        self.limit = int(lanes) if lanes != "auto" and device.several else 1
        self.gain: float | None = None  # measured by the trial: the speed relative to a single lane
        self.lanes: list[Lane[T]] = []  # the first `limit` of them train, any others pause
        self.outcomes: dict[int, T | Exception] = {}
        self._put_back: deque[tuple[int, Callable[[], Steps[T]]]] = deque()
        self._places: list[AbstractContextManager[None]] = []  # for reuse, since a stream keeps its memory
        self._turns = 0

    def run(self) -> dict[int, T | Exception]:
        """Advance all runs to their ends. Returns each run's return value or exception, by number.

        Raises:
            DeviceLost: the device no longer responds; all runs are closed.
        """
        try:
            if self.auto:
                self.limit = self._try_out()
            while self._fill():
                self._round(self.lanes[: self.limit])
        finally:
            for lane in self.lanes:
                with contextlib.suppress(Exception), lane.place:
                    lane.steps.close()
        return self.outcomes

    def _fill(self) -> bool:
        """Start the next runs in free lanes. Returns whether any run is left."""
        while len(self.lanes) < self.limit:
            start = self._put_back.popleft() if self._put_back else next(self.starts, None)
            if start is None:
                break
            place = self._places.pop() if self._places else self._place()
            self.lanes.append(Lane(start[0], start[1], start[1](), place))
        return bool(self.lanes)

    def _place(self) -> AbstractContextManager[None]:
        """The context for a lane's turns. A single lane uses the default stream, which is faster."""
        return self.device.place() if self.auto or self.limit > 1 else contextlib.nullcontext()

    def _round(self, lanes: list[Lane[T]]) -> None:
        """Advance each lane whose event has completed; if there is none, wait for the lane that has waited longest."""
        ready = [lane for lane in lanes if _is_over(lane.latest)]
        if not ready:
            ready = [min(lanes, key=lambda lane: lane.turn)]
            _wait(ready[0].latest)
        for lane in ready:
            self._advance(lane)

    def _advance(self, lane: Lane[T]) -> None:
        if lane.taken == 0:
            self.device.synchronize()  # shared data may still be being copied in another lane's stream
        try:
            with lane.place:
                lane.latest = turn = next(lane.steps)
        except StopIteration as end:
            self._end(lane, end.value)
        except DeviceLost:
            raise
        except NoRoom as full:
            self._make_room(lane, full)
        except Exception as error:  # the other runs continue
            traceback.clear_frames(error.__traceback__)  # they hold the run's memory
            self._end(lane, error)
        else:
            self._turns += 1
            lane.turn = self._turns
            lane.taken += turn.steps

    def _end(self, lane: Lane[T], outcome: T | Exception) -> None:
        self.outcomes[lane.number] = outcome
        self._leave(lane)

    def _leave(self, lane: Lane[T]) -> None:
        self.lanes.remove(lane)
        self._places.append(lane.place)
        self.device.collect()

    def _make_room(self, lane: Lane[T], full: NoRoom) -> None:
        """Continue with fewer lanes; this run starts again when one of them is free."""
        if len(self.lanes) == 1:  # no other run takes memory, so another try would fail too
            self._end(lane, full)
            return
        self._leave(lane)
        self._put_back.append((lane.number, lane.begin))
        self.limit = min(self.limit, len(self.lanes))
        self.device.free_memory()
        tell(f"{full}: going on with {len(self.lanes)} at a time")

    def _try_out(self) -> int:
        """Measure 1, 2, ... lanes. Returns the fewest lanes within 2 % of the best throughput."""
        give_up = self.clock() + PATIENCE
        gains: dict[int, float] = {}
        for n in range(1, MOST + 1):
            self.limit = n
            gain = self._gain(n, give_up)
            if gain is None:  # out of runs, memory or time
                break
            gains[n] = gain
        if not gains or self.clock() >= give_up:  # the runs were too short to measure
            return self.limit
        fewest = min(n for n in gains if gains[n] >= NEAR * max(gains.values()))
        self.gain = gains[fewest]
        tell(
            f"lanes=auto: {fewest} at a time, {gains[fewest]:.2f} times as fast as one lane",
        )
        return min(fewest, self.limit)

    def _gain(self, n: int, give_up: float) -> float | None:
        """The speed of n lanes relative to a single one; None if it can't be measured.

        Each step counts as the seconds that it takes alone, so that different models can be mixed.
        """
        while self._fill() and len(self.lanes) == n == self.limit and self.clock() < give_up:
            untimed = next((lane for lane in self.lanes if lane.seconds is None), None)
            if untimed is None:
                if (gain := self._throughput(list(self.lanes))) is not None:
                    return gain
                continue  # a run ended meanwhile: the next one is timed alone first
            while untimed in self.lanes and untimed.taken < SETTLE:
                self._round([untimed])
            if untimed in self.lanes and (steps_per_second := self._throughput([untimed])) is not None:
                untimed.seconds = 1 / steps_per_second
        return None

    def _throughput(self, lanes: list[Lane[T]]) -> float | None:
        """The work per second: seconds of training alone, or steps if those aren't timed yet. None if a run ends.

        Each measurement begins and ends with a synchronization, since the host runs ahead of the device. The median
        ignores measurements in which a run was evaluated or captured a graph.
        """
        pieces = []
        for _ in range(PIECES):
            self.device.synchronize()
            begun, before = self.clock(), [lane.taken for lane in lanes]
            while self.clock() - begun < PIECE:
                self._round(lanes)
                if any(lane not in self.lanes for lane in lanes):
                    return None
            self.device.synchronize()
            work = sum((lane.taken - b) * (lane.seconds or 1.0) for lane, b in zip(lanes, before, strict=True))
            pieces.append(work / (self.clock() - begun))
        return statistics.median(pieces)


def _is_over(turn: Turn | None) -> bool:
    try:
        return turn is None or turn.event is None or turn.event.query()
    except RuntimeError:  # a lost device: the run's next step raises the error again and reports it
        return True


def _wait(turn: Turn | None) -> None:
    if turn is not None:
        with contextlib.suppress(RuntimeError):
            turn.wait()
