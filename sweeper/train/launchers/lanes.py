"""Several runs advanced in turn by one process: whose turn it is, and how many go at a time.

A run is a generator of steps as `sweeper.train.run.run_in_steps` makes it. It yields None where another may have its
turn, or an event that the device must reach before this one goes on.
"""

import contextlib
import statistics
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sweeper.engine.memory import DeviceLost, NoRoom

MOST = 6  # lanes that lanes=auto tries; with more the total was only seen to fall
NEAR = 0.98  # of the best throughput: so much is enough for fewer lanes to be preferred
SETTLE = 20  # steps of a run that are not timed: kernels are chosen and graphs captured in them
PIECES, PIECE = 8, 0.25  # a throughput is the median of so many pieces of so many seconds
PATIENCE = 60.0  # seconds after which lanes=auto stays with the lanes it has

T = TypeVar("T")


class Event(Protocol):
    """The part of `torch.cuda.Event` that is needed here."""

    def query(self) -> bool: ...

    def synchronize(self) -> None: ...


Steps = Generator[Event | None, None, T]


class Device(Protocol):
    """What lanes need of a device; `sweeper.train.launchers.cuda_lane` has the real ones."""

    several: bool  # serves more than one run at a time

    def place(self) -> AbstractContextManager[None]: ...

    def synchronize(self) -> None: ...

    def collect(self) -> None: ...

    def free_memory(self) -> None: ...


@dataclass(eq=False)
class Lane(Generic[T]):
    """A run at work. `seconds` is what a step of it takes alone, once that is measured."""

    number: int
    begin: Callable[[], Steps[T]]
    steps: Steps[T]
    place: AbstractContextManager[None]
    event: Event | None = None  # what it waits for
    turn: int = 0  # the number of its latest turn, of all lanes' turns
    taken: int = 0  # steps
    seconds: float | None = None


class Lanes(Generic[T]):
    """Advances the runs of `starts`, `lanes` at a time, each a step in turn.

    Args:
        starts: (number, function that makes the generator of steps), taken when a lane is free.
        lanes: how many at a time, or "auto" for a short trial with the runs themselves. 1 where the device serves one.
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
        self.gain: float | None = None  # by the trial: how many times as fast as a single lane
        self.lanes: list[Lane[T]] = []  # the first `limit` are at work, any others pause
        self.outcomes: dict[int, T | Exception] = {}
        self._put_back: deque[tuple[int, Callable[[], Steps[T]]]] = deque()
        self._places: list[AbstractContextManager[None]] = []  # of lanes that ended: a stream keeps its memory
        self._turns = 0

    def run(self) -> dict[int, T | Exception]:
        """Advance all runs to their ends. Returns each one's value, or the exception it ended with, by its number.

        Raises:
            DeviceLost: all runs are closed where they stand.
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
        """Give free lanes to the next runs. False when there is nothing left to do."""
        while len(self.lanes) < self.limit:
            start = self._put_back.popleft() if self._put_back else next(self.starts, None)
            if start is None:
                break
            place = self._places.pop() if self._places else self._place()
            self.lanes.append(Lane(start[0], start[1], start[1](), place))
        return bool(self.lanes)

    def _place(self) -> AbstractContextManager[None]:
        """A single lane needs none of its own: it is as a run without lanes, which a GPU trains faster."""
        return self.device.place() if self.auto or self.limit > 1 else contextlib.nullcontext()

    def _round(self, lanes: list[Lane[T]]) -> None:
        """A turn for each lane that doesn't wait for the device; if all do, for the one that waits longest."""
        ready = [lane for lane in lanes if lane.event is None or _is_reached(lane.event)]
        if not ready:
            ready = [min(lanes, key=lambda lane: lane.turn)]
            _wait(ready[0].event)
        for lane in ready:
            self._advance(lane)

    def _advance(self, lane: Lane[T]) -> None:
        if lane.taken == 0:
            self.device.synchronize()  # data that runs share may still be on its way in another lane's stream
        try:
            with lane.place:
                lane.event = next(lane.steps)
        except StopIteration as end:
            self._end(lane, end.value)
        except DeviceLost:
            raise
        except NoRoom as full:
            self._make_room(lane, full)
        except Exception as error:  # the others go on
            traceback.clear_frames(error.__traceback__)  # which hold the run's memory
            self._end(lane, error)
        else:
            self._turns += 1
            lane.turn = self._turns
            lane.taken += 1

    def _end(self, lane: Lane[T], outcome: T | Exception) -> None:
        self.outcomes[lane.number] = outcome
        self._leave(lane)

    def _leave(self, lane: Lane[T]) -> None:
        self.lanes.remove(lane)
        self._places.append(lane.place)
        self.device.collect()

    def _make_room(self, lane: Lane[T], full: NoRoom) -> None:
        """Go on with fewer lanes, and with this run when one of them is free."""
        if len(self.lanes) == 1:  # nothing of ours takes its room, so it would never have more
            self._end(lane, full)
            return
        self._leave(lane)
        self._put_back.append((lane.number, lane.begin))
        self.limit = min(self.limit, len(self.lanes))
        self.device.free_memory()
        print(f"{full}: going on with {len(self.lanes)} at a time", file=sys.stderr, flush=True)

    def _try_out(self) -> int:
        """The fewest lanes within 2 % of the best throughput, found by adding one after the other."""
        give_up = self.clock() + PATIENCE
        gains: dict[int, float] = {}
        for n in range(1, MOST + 1):
            self.limit = n
            gain = self._gain(n, give_up)
            if gain is None:  # no more runs, no more memory, or no time
                break
            gains[n] = gain
        if not gains or self.clock() >= give_up:  # runs too short to be timed
            return self.limit
        fewest = min(n for n in gains if gains[n] >= NEAR * max(gains.values()))
        self.gain = gains[fewest]
        print(
            f"lanes=auto: {fewest} at a time, {gains[fewest]:.2f} times as fast as one lane",
            file=sys.stderr,
            flush=True,
        )
        return min(fewest, self.limit)

    def _gain(self, n: int, give_up: float) -> float | None:
        """How many times as fast n lanes do the work of a single one; None if it can't be told.

        Each step counts as the seconds that it takes alone, so that runs of different models may be mixed.
        """
        while self._fill() and len(self.lanes) == n == self.limit and self.clock() < give_up:
            untimed = next((lane for lane in self.lanes if lane.seconds is None), None)
            if untimed is None:
                if (gain := self._throughput(list(self.lanes))) is not None:
                    return gain
                continue  # a run ended meanwhile: its lane's next one is timed alone first
            while untimed in self.lanes and untimed.taken < SETTLE:
                self._round([untimed])
            if untimed in self.lanes and (steps_per_second := self._throughput([untimed])) is not None:
                untimed.seconds = 1 / steps_per_second
        return None

    def _throughput(self, lanes: list[Lane[T]]) -> float | None:
        """Seconds of work, or steps where they aren't timed yet, that the device does in a second; None if a run ends.

        Of the device, not of the host that runs ahead of it: a piece of time begins and ends with a device that has
        done all it was given. The median leaves out the pieces in which a run was evaluated or captured a graph.
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


def _is_reached(event: Event) -> bool:
    try:
        return event.query()
    except RuntimeError:  # a lost device: its run meets the same error at its next step, and can tell it
        return True


def _wait(event: Event | None) -> None:
    if event is not None:
        with contextlib.suppress(RuntimeError):
            event.synchronize()
