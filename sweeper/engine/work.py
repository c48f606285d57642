"""Counts the work that this process hands to its device, from which a launcher computes the throughput of its runs."""


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
