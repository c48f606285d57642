"""CUDA graphs: a step recorded once and repeated without the host, as far as the optimizer allows.

How far is found by trying, never by an optimizer's name:

- `whole step`: everything is one graph; the learning rate lies in a tensor that the schedule fills.
- `forward and backward`: the optimizer needs the host, e.g. for a step count that is a Python number; it steps eagerly
  after the graph.
- `eager`: the model needs the host, too, or the optimizer does and computes gradients anew within its step.

A graph of the whole step is kept only if it repeats what an eager step does; see `_repeats`. What a model decides on
the host without looking at the device, e.g. by Python's random numbers, stays as it was recorded.
"""

import copy
import functools
import logging
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

from sweeper.engine.step import Step, state_tensors
from sweeper.system.errors import first_line

WHOLE, PARTLY, EAGER = "whole step", "forward and backward", "eager"

log = logging.getLogger("sweeper")


class Graph:
    """A recording of `work`, which must have run before, so that nothing is set up while it is recorded."""

    def __init__(self, work: Callable[[], None], pool: Any = None) -> None:
        self._graph = torch.cuda.CUDAGraph()
        # cuBLAS keeps a workspace for each stream. Cleared before and after, every graph gets one in its own memory:
        # graphs that are repeated at the same time must not share it.
        torch._C._cuda_clearCublasWorkspaces()
        with torch.cuda.graph(self._graph, pool=pool, stream=_side_stream()):
            work()
        torch._C._cuda_clearCublasWorkspaces()

    def replay(self) -> None:
        self._graph.replay()

    def pool(self) -> Any:
        return self._graph.pool()


class GraphedStep:
    """Runs a `Step`, by graphs from its second time on. `tier` tells how far; None until it is known."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.tier: str | None = None
        self._has_stepped = False
        # By batch size; with the gradients that its graph makes, where the optimizer steps after it.
        self._graphs: dict[int, tuple[Graph, list[tuple[torch.Tensor, torch.Tensor]] | None]] = {}

    def __call__(self, size: int) -> None:
        """A step with a batch of `size` images."""
        if self.tier is None:
            self.tier = self._try_out(size)
        if self._has_stepped and self.tier != EAGER and size not in self._graphs:
            self._record(size)
        if size not in self._graphs:
            self.step.run(size)
            self._has_stepped = not self.step.overflowed  # in it the optimizer makes its state, which graphs then keep
            return
        graph, grads = self._graphs[size]
        graph.replay()
        if grads is not None:
            for parameter, grad in grads:
                parameter.grad = grad
            self.step.update()

    def _try_out(self, size: int) -> str:
        """Can model and optimizer do without the host? By eager steps that are then undone."""
        step, optimizer = self.step, self.step.optimizer
        saved = [tensor.clone() for tensor in step.tensors()], copy.deepcopy(optimizer.state_dict())
        random_state = torch.cuda.get_rng_state()
        numbers = {key: value for key, value in vars(optimizer).items() if isinstance(value, (bool, int, float))}
        tier = partly = EAGER if step.needs_closure else PARTLY  # if the optimizer refuses a tensor as lr
        _use_tensor_rates(optimizer)
        try:
            for _ in range(20):  # until the loss scale fits
                step.run(size)
                if not step.overflowed:
                    break
            before = _host_state(optimizer)
            tier = EAGER
            _without_waiting(lambda: step.differentiate(size))
            tier = partly
            _without_waiting(step.update_alone)
            if _host_state(optimizer) != before:
                raise RuntimeError("the optimizer keeps numbers on the host that change with each step")
            tier = WHOLE
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # models and optimizers of any package need the host in their own ways
            log.debug("no graph of the whole step: %s", first_line(error))
        torch.cuda.synchronize()
        for tensor, value in zip(step.tensors(), saved[0], strict=True):
            tensor.copy_(value)
        optimizer.load_state_dict(saved[1])
        vars(optimizer).update(numbers)
        torch.cuda.set_rng_state(random_state)
        optimizer.zero_grad(set_to_none=True)
        if tier == WHOLE:
            _use_tensor_rates(optimizer)
        return tier

    def _record(self, size: int) -> None:
        """Record the step for this size, in the highest tier that repeats it."""
        if self.tier == WHOLE and not self._record_tier(WHOLE, self.step.run_alone, size):
            self._graphs.clear()
            _use_number_rates(self.step.optimizer)
            self.tier = EAGER if self.step.needs_closure else PARTLY
        if self.tier == PARTLY and not self._record_tier(PARTLY, self.step.differentiate, size):
            self._graphs.clear()
            self.tier = EAGER

    def _record_tier(self, tier: str, work: Callable[[int], None], size: int) -> bool:
        pool = next(iter(self._graphs.values()))[0].pool() if self._graphs else None
        saved = _Saved(self.step)
        try:
            _warm_up(lambda: work(size))
            graph = Graph(lambda: work(size), pool)
            parameters = [p for group in self.step.optimizer.param_groups for p in group["params"]]
            grads = [(p, p.grad) for p in parameters if p.grad is not None] if tier == PARTLY else None
            if tier == WHOLE and not self._repeats(graph, size, saved):
                raise RuntimeError("its recording does not repeat what the step does")
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # whatever is not allowed while recording
            torch.cuda.synchronize()
            log.warning("no CUDA graph of the %s, so this run is slower: %s", tier, first_line(error))
            saved.put_back()
            return False
        saved.put_back()
        self._graphs[size] = graph, grads
        return True

    def _repeats(self, graph: Graph, size: int, saved: "_Saved") -> bool:
        """Two repetitions of the graph move the weights as two eager steps do, at another learning rate than recorded.

        Kernels that add in any order leave a difference, and an optimizer that looks at signs alone may amplify it; a
        learning rate or a step count that was recorded as a constant makes one as large as the way itself.
        """
        ends = []
        for work in (graph.replay, lambda: self.step.run_alone(size)):
            saved.put_back()
            for group in self.step.optimizer.param_groups:
                group["lr"].mul_(0.5)
            for _ in range(2):
                work()
            ends.append([p.detach().clone() for p in self.step.model.parameters()])
        saved.put_back()
        starts = [p.detach() for p in self.step.model.parameters()]
        way, difference = (
            torch.stack(torch._foreach_norm(torch._foreach_sub(a, b))).norm().item()
            for a, b in ((ends[1], starts), (ends[0], ends[1]))
        )
        return difference <= 0.3 * way or way == 0


class _Saved:
    """Copies of all that a step changes, to be put back in place, where graphs read them."""

    def __init__(self, step: Step) -> None:
        rates = [g["lr"] for g in step.optimizer.param_groups if isinstance(g["lr"], torch.Tensor)]
        self._tensors = [*step.tensors(), *state_tensors(step.optimizer), *rates]
        self._values = [tensor.clone() for tensor in self._tensors]
        self._numbers = _host_numbers(step.optimizer)
        self._random_state = torch.cuda.get_rng_state()

    def put_back(self) -> None:
        torch.cuda.set_rng_state(self._random_state)
        for tensor, value in zip(self._tensors, self._values, strict=True):
            tensor.copy_(value)
        for holder, key, value in self._numbers:
            holder[key] = value


def _warm_up(work: Callable[[], None]) -> None:
    """Twice on the stream of recordings, so that libraries choose their kernels before one."""
    stream = _side_stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            work()
    torch.cuda.current_stream().wait_stream(stream)


@functools.cache
def _side_stream() -> torch.cuda.Stream:
    """Recording is refused on the default stream."""
    return torch.cuda.Stream()


def never_waits(work: Callable[[], None]) -> bool:
    """Run `work`; False if it broke off because the host was to wait for the device in it."""
    try:
        _without_waiting(work)
    except RuntimeError as error:
        log.debug("no graph: %s", first_line(error))
        return False
    return True


def _without_waiting(work: Callable[[], None]) -> None:
    """Run `work`; RuntimeError if the host waits for the device in it."""
    mode = torch.cuda.get_sync_debug_mode()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Synchronization debug mode is a prototype")
            torch.cuda.set_sync_debug_mode("error")
        work()
    finally:
        torch.cuda.set_sync_debug_mode(mode)


def _use_tensor_rates(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        if not isinstance(group["lr"], torch.Tensor):
            group["lr"] = torch.tensor(float(group["lr"]), device=group["params"][0].device)


def _use_number_rates(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        group["lr"] = float(group["lr"])


def _host_numbers(optimizer: Optimizer) -> list[tuple[dict[Any, Any], Any, Any]]:
    """Every number that the optimizer keeps on the host: its holder, key and value."""
    holders: list[dict[Any, Any]] = [*optimizer.param_groups, *optimizer.state.values(), vars(optimizer)]
    return [
        (holder, key, value)
        for holder in holders
        for key, value in holder.items()
        if isinstance(value, (bool, int, float))
    ]


def _host_state(optimizer: Optimizer) -> list[Any]:
    """The values of all that the optimizer keeps on the host, tensors on the CPU among it."""
    tensors = [tensor.tolist() for tensor in state_tensors(optimizer) if tensor.device.type == "cpu"]
    return [*(value for _, _, value in _host_numbers(optimizer)), *tensors]
