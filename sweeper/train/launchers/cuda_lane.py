"""Where a lane's work goes: on CUDA a stream and random numbers of its own, elsewhere the process as it is."""

import contextlib
import gc
from types import TracebackType

import torch


class Host:
    """CPU and MPS, which serve one run at a time."""

    several = False

    def place(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def synchronize(self) -> None: ...

    def collect(self) -> None: ...

    def free_memory(self) -> None: ...


class Cuda:
    """This process's GPU."""

    several = True

    def place(self) -> contextlib.AbstractContextManager[None]:
        return _Lane()

    def synchronize(self) -> None:
        """Wait until the GPU has done all it was given by all lanes."""
        with contextlib.suppress(RuntimeError):  # a lost device is met by the next step, whose run can tell it
            torch.cuda.synchronize()

    def collect(self) -> None:
        """Let go of what an ended run held: cycles of Python's objects hold memory that the next one may need."""
        gc.collect()

    def free_memory(self) -> None:
        """Give all that nobody holds back to the driver."""
        gc.collect()
        torch.cuda.empty_cache()


class _Lane:
    """While it is entered, work goes to its stream and random numbers go on where they stopped in it.

    Without the second, dropout would draw otherwise in a run beside others than in one alone. The GPU's generator gets
    another state object instead of another state: graphs read their numbers' offset from the one they were captured
    with while they run, so that two lanes must not write into the same.
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
        with contextlib.suppress(RuntimeError):  # of a lost device, which the error itself tells
            self._stream.__exit__(kind, error, where)
        self._host_state = torch.get_rng_state()
        torch.set_rng_state(self._before[0])
        self._generator.graphsafe_set_state(self._before[1])
