"""The list of a sweep's runs, from which the process of each GPU takes its next one."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeVar

from sweeper.engine.memory import NoRoom

T = TypeVar("T")


@dataclass(frozen=True)
class Shared:
    """What all processes know.

    Attributes:
        lock: guards all of this.
        taken: the number of runs that were taken from the list.
        held: by GPU, the number of its runs that haven't ended.
        begun: by GPU, the sum of the times at which these began, in seconds of the system's monotonic clock.
        longest: the seconds of the longest run that has ended; 0 before the first.
    """

    lock: Any
    taken: Any
    held: Any
    begun: Any
    longest: Any

    @classmethod
    def of(cls, context: Any, gpus: int) -> "Shared":
        """In memory that the processes of so many GPUs share, by a context of multiprocessing."""
        return cls(
            context.Lock(),
            context.Value("l", 0, lock=False),
            context.Array("l", gpus, lock=False),
            context.Array("d", gpus, lock=False),
            context.Value("d", 0.0, lock=False),
        )

    @classmethod
    def alone(cls) -> "Shared":
        """Of a single process, which needs no shared memory: some machines don't allow it."""
        return cls(threading.Lock(), SimpleNamespace(value=0), [0], [0.0], SimpleNamespace(value=0.0))


class RunList:
    """Yields the numbers of the runs that this GPU begins, and None while it leaves the rest of them to the others.

    A GPU with free lanes may be the first of several by seconds; if it took all runs that are left, the others would be
    idle for as long as a run takes. So it takes one only up to its share of the work that is left on all GPUs. A GPU
    without a run always takes one.

    Args:
        runs: the number of all runs.
        gpu: which GPU this process has, from 0.
    """

    def __init__(self, runs: int, shared: Shared, gpu: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._runs, self._shared, self._gpu, self._clock = runs, shared, gpu, clock
        self._begun: dict[int, float] = {}  # by number, of this GPU's runs that haven't ended

    def __iter__(self) -> Iterator[int | None]:
        while (number := self._take()) != self._runs:
            yield number

    def _take(self) -> int | None:
        """The next run's number; None to leave it to another GPU for now; the number of all runs when none is left."""
        shared = self._shared
        with shared.lock:
            if shared.taken.value >= self._runs:
                return self._runs
            if shared.held[self._gpu] and not self._has_less_than_its_share():
                return None
            number, begun = int(shared.taken.value), self._clock()
            self._begun[number] = begun
            shared.taken.value += 1
            shared.held[self._gpu] += 1
            shared.begun[self._gpu] += begun
            return number

    def _has_less_than_its_share(self) -> bool:
        left = [self._left(gpu) for gpu in range(len(self._shared.held))]
        all_left = self._runs - self._shared.taken.value + sum(left)
        return left[self._gpu] + 1 <= all_left / len(left) + 0.5

    def _left(self, gpu: int) -> float:
        """The work that is left of a GPU's current runs, in whole runs: all are taken to be as long as the longest."""
        held, begun, longest = self._shared.held[gpu], self._shared.begun[gpu], self._shared.longest.value
        return max(0.0, held - (held * self._clock() - begun) / longest) if longest else float(held)

    def until_its_end(self, number: int, steps: Generator[Any, None, T]) -> Generator[Any, None, T]:
        """The steps of run `number`, which was taken here. Its end is noted, but not if it will begin again in a free
        lane since it had no room."""
        try:
            result = yield from steps
        except NoRoom:
            raise
        except BaseException:
            self._end(number)
            raise
        self._end(number)
        return result

    def _end(self, number: int) -> None:
        shared, begun = self._shared, self._begun.pop(number)
        with shared.lock:
            shared.longest.value = max(shared.longest.value, self._clock() - begun)
            shared.begun[self._gpu] -= begun
            shared.held[self._gpu] -= 1
