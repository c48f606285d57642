"""Gives each lane on CUDA its own stream and random generators."""

import contextlib
import gc
from types import TracebackType

import torch

from sweeper.engine.kernels.branches import Branches
from sweeper.train.launchers.lanes import Host
from sweeper.train.presence import is_used_by_others


class Cuda(Host):
    """This process's GPU."""

    several = True

    def __init__(self) -> None:
        gc.unfreeze()  # what an earlier launch of this process has left is freed
        gc.collect()
        gc.freeze()  # what is there before the first run, modules above all, isn't searched when a run has ended

    def place(self) -> contextlib.AbstractContextManager[None]:
        return _Lane()

    def share(self, shared: bool) -> None:
        Branches.shared = shared  # a run alone fills the GPU's gaps by branches of a step

    def is_used_by_others(self) -> bool:
        return is_used_by_others("cuda")

    def synchronize(self) -> None:
        with contextlib.suppress(RuntimeError):  # a lost device: the next step raises it again
            torch.cuda.synchronize()

    def collect(self) -> None:
        gc.collect()  # cycles of Python objects may still hold tensors

    def free_memory(self) -> None:
        gc.collect()
        torch.cuda.empty_cache()


class _Lane:
    """Context for a lane's turns: uses the lane's stream, and continues its random generators where they stopped.

    With a shared generator, dropout would draw other numbers in a run beside others than in a run alone. The GPU's
    generator gets another state object, not only other values: while a CUDA graph runs it reads its offset from the
    state object with which it was captured, so two lanes must not write to the same object.
    """

    def __init__(self) -> None:
        self._stream = torch.cuda.stream(torch.cuda.Stream())
        self._generator = torch.cuda.default_generators[torch.cuda.current_device()]
        self._state = self._generator.clone_state()
        self._host_state = torch.get_rng_state()

    def __enter__(self) -> None:
        self._before = torch.get_rng_state(), self._generator.graphsafe_get_state()
        torch.set_rng_state(self._host_state)
        self._generator.graphsafe_set_state(self._state)
        self._stream.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with contextlib.suppress(RuntimeError):  # a lost device, which `error` reports already
            self._stream.__exit__(kind, error, where)
        self._host_state = torch.get_rng_state()
        torch.set_rng_state(self._before[0])
        self._generator.graphsafe_set_state(self._before[1])
