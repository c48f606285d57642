"""CUDA graphs: a step is captured once and replayed without the host, as far as the optimizer allows.

How far is found out by trying, never by an optimizer's name:

- `whole step`: everything is one graph; the learning rate is looked up in a table on the device, see `rates.py`.
- `forward and backward`: the optimizer needs the host, e.g. for a step count that is a Python number; it steps eagerly
  after the graph.
- `eager`: the model needs the host, or the optimizer does and computes gradients within its step.

A graph of the whole step is kept only if it does the same as an eager step; see `_repeats`. What a model decides on
the host without reading the device, e.g. by Python's random numbers, stays as captured.
"""

import contextlib
import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import Optimizer

from sweeper.engine.capture import Graph, draws_numbers, usual_algorithms, warm_up, without_waiting
from sweeper.engine.devices import synchronize
from sweeper.engine.kernels.branches import Branches
from sweeper.engine.rates import Rates
from sweeper.engine.step import Step, state_tensors
from sweeper.engine.work import WORK
from sweeper.system.errors import first_line

WHOLE, PARTLY, EAGER = "whole step", "forward and backward", "eager"

log = logging.getLogger("sweeper")


@dataclass(frozen=True)
class Recording:
    """A step's graph for one batch size.

    Attributes:
        grads: parameters and the gradients that the graph computes, if the optimizer steps after it.
        draws: whether it draws random numbers on the device.
    """

    graph: Graph
    grads: list[tuple[torch.Tensor, torch.Tensor]] | None
    draws: bool

    def replay(self) -> None:
        self.graph.replay()


class GraphedStep:
    """Runs a `Step`, by graphs from the second call on. `tier` is how much of it is a graph; None until known."""

    def __init__(self, step: Step, rates: Rates) -> None:
        self.step, self.rates = step, rates
        self.tier: str | None = None
        self._has_stepped = False
        self._shared = False  # whether the GPU was shared at the capture, since branches are for a run alone
        self._recordings: dict[int, Recording] = {}  # by batch size

    def __call__(self, size: int) -> None:
        """Train one step with a batch of `size` images."""
        if self.tier is None:
            self.tier = self._try_out(size)
        self._check_sharing()
        if self._has_stepped and self.tier != EAGER and size not in self._recordings:
            self._record(size)
        if size not in self._recordings:
            with self.rates.in_tensors() if self.tier == WHOLE else contextlib.nullcontext():
                self.step.run(size)
            self._has_stepped = not self.step.overflowed  # creates the optimizer's state, which graphs use
            return
        recording = self._recordings[size]
        if recording.grads is None:
            self.rates.keep()
        recording.replay()
        if recording.grads is not None:
            for parameter, grad in recording.grads:
                parameter.grad = grad
            self.step.update()

    def whole_step(self, size: int) -> Recording | None:
        """The recording of the whole step for this batch size, which looks up its rates in `rates`; None without."""
        self._check_sharing()
        return self._recordings.get(size) if self.tier == WHOLE else None

    def leave_whole_step(self) -> None:
        """From now on, run the optimizer after the graph: options that its recording has as constants have changed."""
        if self.tier == WHOLE:
            self._drop_recordings()
            self.tier = EAGER if self.step.needs_closure else PARTLY

    def _check_sharing(self) -> None:
        """Drop the graphs, which are then captured again, if they have branches or would have them since this step."""
        if self._shared != Branches.shared:
            self._shared = Branches.shared
            if self.step.low_precision is not None:
                self._drop_recordings()

    def _drop_recordings(self) -> None:
        if self._recordings:
            synchronize(self.step.device.kind)  # they may still run
            self._recordings.clear()

    def _try_out(self, size: int) -> str:
        """The tier that model and optimizer allow, found out by eager steps that are then undone."""
        WORK.preparations += 1
        step, optimizer = self.step, self.step.optimizer
        saved = [tensor.clone() for tensor in step.tensors()], copy.deepcopy(optimizer.state_dict())
        random_state = torch.cuda.get_rng_state()
        numbers = {key: value for key, value in vars(optimizer).items() if isinstance(value, (bool, int, float))}
        with self.rates.in_tensors():
            tier = self._highest_tier(size)
        torch.cuda.synchronize()
        for tensor, value in zip(step.tensors(), saved[0], strict=True):
            tensor.copy_(value)
        optimizer.load_state_dict(saved[1])
        vars(optimizer).update(numbers)
        torch.cuda.set_rng_state(random_state)
        optimizer.zero_grad(set_to_none=True)
        return tier

    def _highest_tier(self, size: int) -> str:
        step, optimizer = self.step, self.step.optimizer
        tier = partly = EAGER if step.needs_closure else PARTLY  # if the optimizer refuses a tensor as lr
        try:
            for _ in range(20):  # until the loss scale fits
                step.run(size)
                if not step.overflowed:
                    break
            before = _host_state(optimizer)
            tier = EAGER
            without_waiting(lambda: step.differentiate(size))
            tier = partly
            without_waiting(step.update_alone)
            if _host_state(optimizer) != before:
                raise RuntimeError("the optimizer keeps numbers on the host that change with each step")
            tier = WHOLE
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # third-party models and optimizers may raise anything here
            log.debug("no graph of the whole step: %s", first_line(error))
        return tier

    def _record(self, size: int) -> None:
        """Capture the step for this size, in the highest tier whose graph does the same as the step."""
        WORK.preparations += 1
        if self.tier == WHOLE:
            self.rates.keep()
            with self.rates.in_tensors(), usual_algorithms(search=not self._recordings):
                recorded = self._record_tier(WHOLE, self.step.run_alone, size)
            if not recorded:
                self.leave_whole_step()
        if self.tier == PARTLY and not self._record_tier(PARTLY, self.step.differentiate, size):
            self._drop_recordings()
            self.tier = EAGER

    def _record_tier(self, tier: str, work: Callable[[int], None], size: int) -> bool:
        pool = next(iter(self._recordings.values())).graph.pool() if self._recordings else None
        saved = _Saved(self.step, self.rates)
        try:
            warm_up(lambda: work(size))
            graph = Graph(lambda: work(size), pool)
            parameters = [p for group in self.step.optimizer.param_groups for p in group["params"]]
            grads = [(p, p.grad) for p in parameters if p.grad is not None] if tier == PARTLY else None
            if tier == WHOLE and not self._repeats(graph, size, saved):
                raise RuntimeError("its recording does not repeat what the step does")
            draws = draws_numbers(graph)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # anything that isn't allowed during a capture
            torch.cuda.synchronize()
            log.warning("no CUDA graph of the %s, so this run is slower: %s", tier, first_line(error))
            saved.put_back()
            return False
        saved.put_back()
        self._recordings[size] = Recording(graph, grads, draws)
        return True

    def _repeats(self, graph: Graph, size: int, saved: "_Saved") -> bool:
        """Whether two replays change the weights as two eager steps do, at another learning rate than captured.

        Kernels that sum in varying order cause a difference, which an optimizer that uses only signs may amplify. A
        learning rate or step count captured as a constant causes one as large as the change of the weights itself.
        """
        ends = []
        for work in (graph.replay, lambda: self.step.run_alone(size)):
            saved.put_back()
            self.rates.table.mul_(0.5)
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
    """Copies of all that a step changes, to be restored in place, where graphs read it."""

    def __init__(self, step: Step, rates: Rates) -> None:
        self._tensors = [*step.tensors(), *state_tensors(step.optimizer), *rates.tensors()]
        self._values = [tensor.clone() for tensor in self._tensors]
        self._numbers = _host_numbers(step.optimizer)
        self._random_state = torch.cuda.get_rng_state()

    def put_back(self) -> None:
        torch.cuda.set_rng_state(self._random_state)
        for tensor, value in zip(self._tensors, self._values, strict=True):
            tensor.copy_(value)
        for holder, key, value in self._numbers:
            holder[key] = value


def _host_numbers(optimizer: Optimizer) -> list[tuple[dict[Any, Any], Any, Any]]:
    """Every number that the optimizer keeps on the host: its dictionary, key and value."""
    holders: list[dict[Any, Any]] = [*optimizer.param_groups, *optimizer.state.values(), vars(optimizer)]
    return [
        (holder, key, value)
        for holder in holders
        for key, value in holder.items()
        if isinstance(value, (bool, int, float))
    ]


def _host_state(optimizer: Optimizer) -> list[Any]:
    """All values that the optimizer keeps on the host, including CPU tensors."""
    tensors = [tensor.tolist() for tensor in state_tensors(optimizer) if tensor.device.type == "cpu"]
    return [*(value for _, _, value in _host_numbers(optimizer)), *tensors]
