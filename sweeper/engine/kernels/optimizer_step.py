"""Puts kernels in the place of an optimizer's step on CUDA, as `sweeper/engine/fuse.py` does for a model's blocks.

The optimizers in `sweeper/optimizers/` stay textbook code. Their state has the same names, shapes and dtypes either
way, so a checkpoint doesn't depend on who made the step.
"""

from collections.abc import Callable, Sequence

import torch
from torch.optim import Optimizer
from torch.optim import optimizer as torchs

from sweeper.engine.kernels.optimizer_group import Group
from sweeper.engine.kernels.triton import triton_serves
from sweeper.optimizers import Lion, Muon


def fused_step(optimizer: Optimizer) -> Callable[[], None] | None:
    """A function that does what `optimizer.step()` does, with few kernels; None if there are none for it."""
    if type(optimizer) not in (Lion, Muon) or _is_replaced(optimizer):
        return None
    params = [p for group in optimizer.param_groups for p in group["params"]]
    device = params[0].device
    if not triton_serves(device) or any(p.device != device or p.dtype != torch.float32 for p in params):
        return None
    return FusedStep(optimizer, build_groups(optimizer))


def build_groups(optimizer: Optimizer) -> list[Group]:
    from sweeper.engine.kernels.elementwise_kernels import AdamWGroup, LionGroup
    from sweeper.engine.kernels.muon_kernels import HiddenGroup

    kinds = [
        LionGroup if isinstance(optimizer, Lion) else HiddenGroup if group["role"] == "hidden" else AdamWGroup
        for group in optimizer.param_groups
    ]
    return [kind(optimizer, number) for number, kind in enumerate(kinds) if optimizer.param_groups[number]["params"]]


class FusedStep:
    """Steps the groups by kernels, or by the optimizer itself if the kernels can't read one of the tensors."""

    def __init__(self, optimizer: Optimizer, groups: Sequence[Group]) -> None:
        self._optimizer, self._groups = optimizer, groups

    @torch.no_grad()
    def __call__(self) -> None:
        if not self._serves():
            self._optimizer.step()
            return
        with torch.cuda.device_of(self._groups[0].params[0]):  # Triton launches on the current device
            for group in self._groups:
                group.step()
        self._optimizer._opt_called = True  # type: ignore[attr-defined]  # schedules warn if no step came before theirs

    def _serves(self) -> bool:
        optimizer = self._optimizer
        hooks = (
            optimizer._optimizer_step_pre_hooks,
            optimizer._optimizer_step_post_hooks,
            torchs._global_optimizer_pre_hooks,
            torchs._global_optimizer_post_hooks,
        )
        served = sum(len(group.params) for group in self._groups)
        return (
            not any(hooks)
            and served == sum(len(group["params"]) for group in optimizer.param_groups)
            and not _is_replaced(optimizer)
            and all(group.fits() for group in self._groups)
        )


def _is_replaced(optimizer: Optimizer) -> bool:
    """Whether somebody has set another `step` on the optimizer; a schedule's wrapper only counts the calls."""
    step = vars(optimizer).get("step")
    return step is not None and not getattr(step, "_wrapped_by_lr_sched", False)
