"""The learning rates of the coming steps in the device's memory, where a recorded step looks up its own."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

OURS = "sweeper.schedules"  # whose factors depend on the step alone; a user's may read the optimizer, or change it


class Rates:
    """A table of the rates of an epoch's steps, one column for each of the optimizer's groups.

    Outside of `in_tensors` the groups' `lr` are numbers, so the schedule computes on the host, in double precision.

    Args:
        steps: of an epoch.
    """

    def __init__(self, optimizer: Optimizer, steps: int, where: torch.device) -> None:
        self._optimizer = optimizer
        self.table = torch.zeros(steps, len(optimizer.param_groups), device=where)
        self.current = torch.zeros(1, len(optimizer.param_groups), device=where)

    def tensors(self) -> list[torch.Tensor]:
        return [self.table, self.current]

    def numbers(self) -> list[float]:
        return [float(group["lr"]) for group in self._optimizer.param_groups]

    @contextlib.contextmanager
    def in_tensors(self) -> Iterator[None]:
        """A context in which each group's `lr` is the tensor that a recorded step uses."""
        before = [group["lr"] for group in self._optimizer.param_groups]
        self.current.copy_(self._to_device([self.numbers()]))
        for k, group in enumerate(self._optimizer.param_groups):
            group["lr"] = self.current[0, k]
        try:
            yield
        finally:
            for rate, group in zip(before, self._optimizer.param_groups, strict=True):
                group["lr"] = rate

    def look_up(self, step: torch.Tensor) -> None:
        """Put the rates of a step, int64 (1,), into the tensors; part of the recorded step."""
        torch.index_select(self.table, 0, step % len(self.table), out=self.current)

    def keep(self) -> None:
        """Give the present rates to every step."""
        self.table.copy_(self._to_device([self.numbers()]).expand_as(self.table))

    def put(self, first: int, rates: list[list[float]]) -> None:
        """Set the rates of the steps from `first` on, without waiting for the device."""
        self.table[first : first + len(rates)] = self._to_device(rates)

    def advance(self, schedule: LRScheduler, steps: int) -> tuple[list[list[float]], bool]:
        """Advance the schedule by `steps` steps, or up to one at which it changes more than the rates.

        Returns:
            The rates of each of these steps, and whether it has changed another option, e.g. the momentum.
        """
        if _is_ours(schedule):
            return self._by_factors(schedule, steps), False
        rates, others = [], self._other_options()
        for _ in range(steps):
            rates.append(self.numbers())
            schedule.step()
            if any(group[key] != value for group, key, value in others):
                return rates, True
        return rates, False

    def _by_factors(self, schedule: Any, steps: int) -> list[list[float]]:
        """As `advance`, for our schedules: only the last step is taken by the schedule itself, since that takes five
        times as long as the rates."""
        first = schedule.last_epoch + 1
        factors = list(zip(schedule.base_lrs, schedule.lr_lambdas, strict=True))
        later = [[float(base * factor(k)) for base, factor in factors] for k in range(first, first + steps - 1)]
        rates = [self.numbers(), *later]
        schedule.last_epoch += steps - 1
        schedule._step_count += steps - 1
        schedule.step()
        return rates

    def _other_options(self) -> list[tuple[dict[str, Any], str, Any]]:
        """Each option that a recorded step has as constants: its group, name and value."""
        return [
            (group, key, copy.copy(value))
            for group in self._optimizer.param_groups
            for key, value in group.items()
            if key not in ("lr", "params") and isinstance(value, (bool, int, float, tuple, list))
        ]

    def _to_device(self, rates: list[list[float]]) -> torch.Tensor:
        """Through pinned memory, which the allocator keeps until the device has read it."""
        on_host = torch.tensor(rates, dtype=self.table.dtype, pin_memory=self.table.is_cuda)
        return on_host.to(self.table.device, non_blocking=True)


def _is_ours(schedule: LRScheduler) -> bool:
    return type(schedule) is LambdaLR and all(getattr(f, "__module__", "") == OURS for f in schedule.lr_lambdas)
