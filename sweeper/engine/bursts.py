"""Hands an epoch's steps to the device: one at a time, or on CUDA as many as need nothing of the host."""

from collections.abc import Callable

from torch.optim.lr_scheduler import LRScheduler

from sweeper.engine.graphs import GraphedStep, Recording
from sweeper.engine.work import WORK
from sweeper.system.random_streams import seed_layers, stream_seed


class Bursts:
    """The steps of a run's epochs, with the schedule and the seeds of the layers' random numbers.

    Where a whole step is a CUDA graph, a burst of steps is replayed: their learning rates are computed before it, and
    random generators are seeded only if the step draws from them. The result is that of single steps.

    Args:
        step: trains one step with a batch of so many images.
        sizes: the batch size of each step of an epoch.
    """

    def __init__(
        self, step: Callable[[int], None] | GraphedStep, schedule: LRScheduler, sizes: list[int], seed: int
    ) -> None:
        self._step, self._schedule, self._sizes, self._seed = step, schedule, sizes, seed
        self._graphed = step if isinstance(step, GraphedStep) else None

    def run(self, epoch: int, first: int, most: int) -> int:
        """Hand over at most so many steps, from step `first`, from 0, of epoch `epoch`, from 1. Returns how many."""
        size = self._sizes[first]
        if self._graphed is not None and (recording := self._graphed.whole_step(size)) is not None:
            steps = self._replay(self._graphed, recording, epoch, first, min(most, self._alike(first)))
            WORK.passes += 3 * size * steps
            return steps
        WORK.passes += 3 * size
        self._seed_layers(epoch, first)
        self._step(size)
        if self._graphed is None:
            self._schedule.step()
        else:
            self._advance(self._graphed, 1)
        return 1

    def _replay(self, graphed: GraphedStep, recording: Recording, epoch: int, first: int, most: int) -> int:
        rates = self._advance(graphed, most)
        graphed.rates.put(first, rates)
        for k in range(first, first + len(rates)):
            if recording.draws or k == len(self._sizes) - 1:  # after the last step, the evaluation may draw
                self._seed_layers(epoch, k)
            recording.replay()
        return len(rates)

    def _advance(self, graphed: GraphedStep, steps: int) -> list[list[float]]:
        """The rates of the next steps, at most so many; the schedule then stands after them."""
        rates, others_changed = graphed.rates.advance(self._schedule, steps)
        if others_changed:
            graphed.leave_whole_step()  # its recordings have the other options as constants
        return rates

    def _alike(self, first: int) -> int:
        """The number of steps from `first` on with batches of one size: only an epoch's last may be smaller."""
        last = len(self._sizes) - 1
        return 1 if first == last else last - first + (self._sizes[last] == self._sizes[first])

    def _seed_layers(self, epoch: int, step: int) -> None:
        seed_layers(stream_seed(self._seed, epoch, step, "layers"))
