"""Sophia: momentum divided by an estimate of the curvature, and clipped."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim.optimizer import Optimizer, ParamsT


class Sophia(Optimizer):
    """Sophia-G: Liu et al., Sophia: A Scalable Stochastic Second-order Optimizer, arXiv 2305.14342, algorithms 2 and 3.

    With gradient g, betas (β1, β2), weight decay λ and, at every `interval`-th step, the gradient ĝ of the mean loss
    over the batch's B images with labels drawn from the model's own probabilities:

        m ← β1 m + (1 - β1) g
        h ← β2 h + (1 - β2) B ĝ²
        θ ← θ - lr · (λ θ + clip(m / max(γ h, ε), 1))

    Args:
        lr: at least 0; a number, or a 0-dim tensor on the parameters' device.
        betas: both in [0, 1).
        gamma: γ, above 0; a larger value clips fewer entries.
        interval: steps from one estimate to the next, at least 1.
        batch_size: B, at least 1.
        eps: ε, above 0.
        weight_decay: λ, decoupled, at least 0.

    Raises:
        ValueError: a value is out of its range.
    """

    needs_closure = True  # the training loop calls step(closure) after it has computed the first gradients

    def __init__(
        self,
        params: ParamsT,
        lr: float | torch.Tensor,
        betas: Sequence[float],
        gamma: float,
        interval: int,
        batch_size: int,
        eps: float,
        weight_decay: float,
    ) -> None:
        if not lr >= 0:
            raise ValueError(f"lr={lr}: must be at least 0")
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas={betas}: must be two numbers in [0, 1)")
        for name, value in (("interval", interval), ("batch_size", batch_size)):
            if not value >= 1:
                raise ValueError(f"{name}={value}: must be at least 1")
        for name, number in (("gamma", gamma), ("eps", eps)):
            if not number > 0:
                raise ValueError(f"{name}={number}: must be above 0")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay={weight_decay}: must be at least 0")
        options = {"gamma": gamma, "interval": interval, "batch_size": batch_size, "eps": eps}
        super().__init__(params, {"lr": lr, "betas": betas, **options, "weight_decay": weight_decay, "steps": 0})

    @torch.no_grad()
    def step(self, closure: Callable[..., Any]) -> None:  # type: ignore[override]
        for group in self.param_groups:
            if params := [p for p in group["params"] if p.grad is not None]:
                self._add_gradients(group, params)
        first = self.param_groups[0]
        if first["steps"] % first["interval"] == 0:
            with torch.enable_grad():
                closure(guess=True)
            for group in self.param_groups:
                if params := [p for p in group["params"] if p.grad is not None]:
                    self._add_curvature(group, params)
        for group in self.param_groups:
            group["steps"] += 1
            if params := [p for p in group["params"] if self.state[p]]:
                self._move(group, params)

    def _add_gradients(self, group: dict[str, Any], params: list[torch.Tensor]) -> None:
        for p in params:
            if not self.state[p]:
                self.state[p] |= {"exp_avg": torch.zeros_like(p), "hessian": torch.zeros_like(p)}
        grads = [p.grad for p in params if p.grad is not None]
        torch._foreach_lerp_([self.state[p]["exp_avg"] for p in params], grads, 1 - group["betas"][0])

    def _add_curvature(self, group: dict[str, Any], params: list[torch.Tensor]) -> None:
        grads = [p.grad for p in params if p.grad is not None]
        estimates = torch._foreach_mul(torch._foreach_mul(grads, grads), float(group["batch_size"]))
        torch._foreach_lerp_([self.state[p]["hessian"] for p in params], estimates, 1 - group["betas"][1])

    def _move(self, group: dict[str, Any], params: list[torch.Tensor]) -> None:
        lr = group["lr"]
        curvatures = torch._foreach_mul([self.state[p]["hessian"] for p in params], group["gamma"])
        torch._foreach_clamp_min_(curvatures, group["eps"])
        updates = torch._foreach_div([self.state[p]["exp_avg"] for p in params], curvatures)
        torch._foreach_clamp_min_(updates, -1.0)
        torch._foreach_clamp_max_(updates, 1.0)
        if group["weight_decay"]:
            torch._foreach_mul_(params, 1 - lr * group["weight_decay"])
        torch._foreach_sub_(params, torch._foreach_mul(updates, lr))
