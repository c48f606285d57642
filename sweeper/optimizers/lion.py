"""Lion: the sign of an interpolated momentum."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim.optimizer import Optimizer, ParamsT


class Lion(Optimizer):
    """Chen et al., Symbolic Discovery of Optimization Algorithms, arXiv 2302.06675, algorithm 2.

    With gradient g, momentum m, betas (β1, β2) and weight decay λ:

        θ ← θ - lr · (sign(β1 m + (1 - β1) g) + λ θ)
        m ← β2 m + (1 - β2) g

    Args:
        lr: at least 0; a number, or a 0-dim tensor on the parameters' device.
        betas: both in [0, 1).
        weight_decay: λ, decoupled: a step shrinks the weights by the factor 1 - lr · λ.

    Raises:
        ValueError: a value is out of its range.
    """

    def __init__(self, params: ParamsT, lr: float | torch.Tensor, betas: Sequence[float], weight_decay: float) -> None:
        if not lr >= 0:
            raise ValueError(f"lr={lr}: must be at least 0")
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas={betas}: must be two numbers in [0, 1)")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay={weight_decay}: must be at least 0")
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if params := [p for p in group["params"] if p.grad is not None]:
                self._step_group(group, params)
        return loss

    def _step_group(self, group: dict[str, Any], params: list[torch.Tensor]) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        grads = [p.grad for p in params if p.grad is not None]
        for p in params:
            if not self.state[p]:
                self.state[p]["exp_avg"] = torch.zeros_like(p)
        exp_avgs = [self.state[p]["exp_avg"] for p in params]

        updates = torch._foreach_lerp(grads, exp_avgs, beta1)
        torch._foreach_sign_(updates)
        torch._foreach_mul_(updates, lr)
        if group["weight_decay"]:
            torch._foreach_mul_(params, 1 - lr * group["weight_decay"])
        torch._foreach_sub_(params, updates)

        torch._foreach_lerp_(exp_avgs, grads, 1 - beta2)
