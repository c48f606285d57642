"""How many steps the host hands to the device at a time, and how far it runs ahead."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BURST = 0.015  # seconds of steps that are handed over at a time; a stop and other lanes wait for two of them at most
GROWTH = 4  # a burst has at most so many times the steps of the one before: a first measurement may be wrong


@dataclass(frozen=True)
class Turn:
    """What a run yields to its driver.

    Attributes:
        steps: the number of training steps since the last turn.
        event: the device must reach it before the run goes on; None if it may go on at once.
        before: in the first turn, the steps of its epoch that were trained before the run was stopped.
    """

    steps: int = 1
    event: "torch.cuda.Event | None" = None
    before: int = 0

    def wait(self) -> None:
        if self.event is not None:
            self.event.synchronize()


class Pace:
    """Measures a CUDA device's steps, and keeps the host at most two bursts ahead of it.

    Args:
        before: steps of the first epoch that are trained already.

    Attributes:
        burst: the number of steps that take about `BURST` seconds; 1 on other devices.
    """

    def __init__(self, kind: str, before: int = 0) -> None:
        self.burst = 1
        self._before = before  # see `Turn`
        self._on_cuda = kind == "cuda"
        self._steps = 0  # since the latest turn
        self._latest: torch.cuda.Event | None = None
        self._under_way: deque[tuple[torch.cuda.Event, torch.cuda.Event, int]] = deque()  # begin, end, steps

    def begin(self) -> None:
        """Begin an epoch: what the device has done before is no part of its steps."""
        self._steps, self._latest = 0, self._record()

    @property
    def left(self) -> int:
        """The steps until the burst is full."""
        return max(1, self.burst - self._steps)

    def after(self, steps: int) -> Turn | None:
        """The turn that ends with so many more steps handed over; None while they are less than a burst."""
        self._steps += steps
        if self._steps < self.burst:
            return None
        if self._latest is None:
            return self.until(None)
        begun, self._latest = self._latest, self._record()
        assert self._latest is not None
        self._under_way.append((begun, self._latest, self._steps))
        while self._under_way and self._under_way[0][1].query():
            self._measure(*self._under_way.popleft())
        return self.until(self._under_way[-2][1] if len(self._under_way) > 1 else None)

    def until(self, event: "torch.cuda.Event | None") -> Turn:
        """A turn with the steps since the latest one, which ends when the device reaches the event."""
        steps, self._steps = self._steps, 0
        before, self._before = self._before, 0
        return Turn(steps, event, before)

    def now(self) -> Turn:
        """A turn whose event the device reaches when it has done all work given so far."""
        return self.until(self._record())

    def _measure(self, begun: "torch.cuda.Event", ended: "torch.cuda.Event", steps: int) -> None:
        seconds = begun.elapsed_time(ended) / 1e3 / steps
        self.burst = max(1, min(round(BURST / max(seconds, 1e-6)), GROWTH * self.burst))

    def _record(self) -> "torch.cuda.Event | None":
        if not self._on_cuda:
            return None
        import torch

        event = torch.cuda.Event(enable_timing=True, blocking=True)
        event.record()
        return event
