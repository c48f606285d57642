"""Counts the work that this process hands to its device, from which a launcher computes the throughput of its runs."""

from collections.abc import Callable


class Work:
    """Counters that only grow.

    Attributes:
        passes: images times passes through a model; a backward pass counts as two forward passes.
        preparations: how often a run has prepared something that it keeps, such as a CUDA graph.
    """

    def __init__(self) -> None:
        self.passes = 0
        self.preparations = 0


WORK = Work()


class CountedStep:
    """Calls `run`, which trains one step with a batch of the given size, and counts its work."""

    def __init__(self, run: Callable[[int], None]) -> None:
        self.run = run

    def __call__(self, size: int) -> None:
        WORK.passes += 3 * size
        self.run(size)

    @property
    def tier(self) -> str | None:
        """How much of the step is one CUDA graph; None if it isn't known or the step has none."""
        tier: str | None = getattr(self.run, "tier", None)
        return tier
