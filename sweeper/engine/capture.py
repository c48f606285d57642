"""What a capture of work on the device as a CUDA graph needs."""

import contextlib
import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from sweeper.system.errors import first_line

log = logging.getLogger("sweeper")


class Graph:
    """A CUDA graph of `work`, which must have run before, so that nothing is initialized during the capture."""

    def __init__(self, work: Callable[[], None], pool: Any = None) -> None:
        self._graph = torch.cuda.CUDAGraph()
        # cuBLAS keeps one workspace per stream. Clearing it before and after gives every graph its own workspace:
        # graphs that are replayed at the same time must not share one.
        torch._C._cuda_clearCublasWorkspaces()
        with torch.cuda.graph(self._graph, pool=pool, stream=_side_stream()):
            work()
        torch._C._cuda_clearCublasWorkspaces()

    def replay(self) -> None:
        self._graph.replay()

    def pool(self) -> Any:
        return self._graph.pool()


def warm_up(work: Callable[[], None]) -> None:
    """Run `work` twice on the capturing stream, so that libraries choose their kernels before the capture."""
    stream = _side_stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            work()
    torch.cuda.current_stream().wait_stream(stream)


@functools.cache
def _side_stream() -> torch.cuda.Stream:
    """The stream for captures, which the default stream doesn't allow."""
    return torch.cuda.Stream()


def never_waits(work: Callable[[], None]) -> bool:
    """Run `work`; False if it stopped because the host would have to wait for the device."""
    try:
        without_waiting(work)
    except RuntimeError as error:
        log.debug("no graph: %s", first_line(error))
        return False
    return True


def without_waiting(work: Callable[[], None]) -> None:
    """Run `work`; RuntimeError if the host waits for the device in it."""
    mode = torch.cuda.get_sync_debug_mode()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Synchronization debug mode is a prototype")
            torch.cuda.set_sync_debug_mode("error")
        work()
    finally:
        torch.cuda.set_sync_debug_mode(mode)


def draws_numbers(graph: Graph) -> bool:
    """Whether a replay draws from the device's generator, which then moves on."""
    before = torch.cuda.get_rng_state()
    graph.replay()
    return not torch.equal(before, torch.cuda.get_rng_state())


@contextlib.contextmanager
def usual_algorithms(search: bool) -> Iterator[None]:
    """A context in which cuDNN tries its algorithms only if `search`: an epoch's last batch isn't worth a second."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before and search
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
