"""Advances several runs in turn in one process.

A run is a generator, see `sweeper.train.run.run_in_steps`. After each burst of steps it yields a `Turn`, which may have
a CUDA event that must complete before the next. A lane is a place for one run at a time.
"""

import contextlib
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sweeper.engine.memory import DeviceLost, NoRoom
from sweeper.engine.pace import Turn
from sweeper.engine.work import WORK, Work
from sweeper.system.terminal import tell

T = TypeVar("T")

PAUSE = 0.001  # seconds between two looks at the lanes' events; each lane still has a burst or an epoch of work by then

Steps = Generator[Turn, None, T]


class Host:
    """The CPU or MPS, which train one run at a time; `sweeper.train.launchers.cuda_lane` has the GPU."""

    several = False  # whether it can train more than one run at a time

    def place(self) -> AbstractContextManager[None]:
        """The context for the turns of a lane."""
        return contextlib.nullcontext()

    def share(self, shared: bool) -> None:
        """Tell the engine whether several runs take turns."""

    def is_used_by_others(self) -> bool:
        """Whether runs of other processes use the device."""
        return False

    def synchronize(self) -> None:
        """Wait until the device has finished the work of all lanes."""

    def collect(self) -> None:
        """Free the memory of a run that has ended."""

    def free_memory(self) -> None:
        """Return all unused memory to the driver."""


@dataclass(eq=False)
class Lane(Generic[T]):
    """A lane with its current run."""

    number: int
    begin: Callable[[], Steps[T]]
    steps: Steps[T]
    place: AbstractContextManager[None]
    latest: Turn | None = None  # its event must complete before the next
    turn: int = 0  # the number of its latest turn, counted over all lanes; 0 before the first
    passes: int = 0  # its work so far, see `sweeper.engine.work`


class Lanes(Generic[T]):
    """Advances the runs of `starts`, `lanes` of them at a time, one burst of steps in turn.

    Args:
        starts: pairs of a run's number and a function that returns its turns; the next is taken when a lane is free.
            None instead of a pair: no run for now, while another lane has one.
        lanes: the number of runs at a time, or a function that finds it while it trains the first runs. It is 1 if the
            device trains only one run at a time.
    """

    def __init__(
        self,
        starts: Iterator[tuple[int, Callable[[], Steps[T]]] | None],
        device: Host,
        lanes: "int | Callable[[Lanes[Any]], int]",
        clock: Callable[[], float] = time.perf_counter,
        work: Work = WORK,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.starts, self.device, self.clock, self.work, self.pause = starts, device, clock, work, pause
        self.lanes: list[Lane[T]] = []  # the first `limit` of them train, any others pause
        self.outcomes: dict[int, T | Exception] = {}
        self.limit = lanes if isinstance(lanes, int) and device.several else 1
        self._find = None if isinstance(lanes, int) or not device.several else lanes
        self._put_back: deque[tuple[int, Callable[[], Steps[T]]]] = deque()
        self._places: list[AbstractContextManager[None]] = []  # for reuse, since a stream keeps its memory
        self._turns = 0

    def run(self) -> dict[int, T | Exception]:
        """Advance all runs to their ends. Returns each run's return value or exception, by number.

        Raises:
            DeviceLost: the device no longer responds; all runs are closed.
        """
        try:
            self.set_limit(self.limit)
            if self._find is not None:
                self.set_limit(self._find(self))
            while self.fill():
                self.round(self.lanes[: self.limit])
        finally:
            self.device.share(False)
            for lane in self.lanes:
                # What is raised already says more: a lost device lets no run end in order.
                with contextlib.suppress(Exception), lane.place:
                    lane.steps.close()
        return self.outcomes

    def set_limit(self, limit: int) -> None:
        """Train so many runs at a time from now on."""
        self.limit = limit
        self.device.share(limit > 1)

    def fill(self) -> bool:
        """Start the next runs in free lanes. Returns whether any run is left."""
        while len(self.lanes) < self.limit:
            start = self._put_back.popleft() if self._put_back else next(self.starts, None)
            if start is None:
                break
            place = self._places.pop() if self._places else self._place()
            self.lanes.append(Lane(start[0], start[1], start[1](), place))
        return bool(self.lanes)

    def _place(self) -> AbstractContextManager[None]:
        """The context for a lane's turns. A single lane uses the process's own stream, as a run without lanes does. It
        keeps it when others begin beside it, since its CUDA graphs use the random generator with which it began."""
        return self.device.place() if self.limit > 1 else contextlib.nullcontext()

    def round(self, lanes: list[Lane[T]]) -> None:
        """Advance each lane whose event has completed; if there is none, wait for any of them."""
        while not (ready := [lane for lane in lanes if _is_over(lane.latest)]):
            if len(lanes) == 1:
                _wait(lanes[0].latest)
            else:
                self.pause(PAUSE)
        for lane in ready:
            self._advance(lane)

    def _advance(self, lane: Lane[T]) -> None:
        if lane.turn == 0:
            self.device.synchronize()  # shared data may still be being copied in another lane's stream
        before = self.work.passes
        try:
            with lane.place:
                lane.latest = next(lane.steps)
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
            lane.passes += self.work.passes - before

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
        self.set_limit(min(self.limit, len(self.lanes)))
        self.device.free_memory()
        tell(f"{full}: going on with {len(self.lanes)} at a time")


def _is_over(turn: Turn | None) -> bool:
    try:
        return turn is None or turn.event is None or turn.event.query()
    except RuntimeError:  # a lost device: the run's next step raises the error again and reports it
        return True


def _wait(turn: Turn | None) -> None:
    if turn is not None:
        with contextlib.suppress(RuntimeError):
            turn.wait()
