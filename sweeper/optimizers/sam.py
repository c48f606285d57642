"""SAM: SGD with the gradient at the worst weights in a neighbourhood."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import Optimizer, ParamsT


class SAM(Optimizer):
    """Sharpness-aware minimization over SGD: Foret et al., arXiv 2010.01412, algorithm 1.

    With gradient g at θ, it makes SGD's step with the gradient at θ + ρ g / ‖g‖, where ‖g‖ is the norm of all gradients
    together. Each step thus computes gradients twice. Weight decay adds λ θ to the second gradient.

    Args:
        lr: at least 0; a number, or a 0-dim tensor on the parameters' device.
        rho: ρ, above 0: the distance from the weights at which the second gradient is computed.
        momentum: in [0, 1); Nesterov momentum as in torch.optim.SGD if `nesterov`.
        weight_decay: λ, at least 0, added to the gradient.

    Raises:
        ValueError: a value is out of its range.
    """

    needs_closure = True  # the training loop calls step(closure) after it has computed the first gradients

    def __init__(
        self,
        params: ParamsT,
        lr: float | torch.Tensor,
        rho: float,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        if not lr >= 0:
            raise ValueError(f"lr={lr}: must be at least 0")
        if not rho > 0:
            raise ValueError(f"rho={rho}: must be above 0")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum={momentum}: must be in [0, 1)")
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay={weight_decay}: must be at least 0")
        options = {"lr": lr, "rho": rho, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
        super().__init__(params, options)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        grads = [p.grad for p in params if p.grad is not None]
        if not params:
            return closure()
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        kept = [p.clone() for p in params]
        scale = self.param_groups[0]["rho"] / (norm + 1e-12)
        torch._foreach_add_(params, torch._foreach_mul(grads, scale))
        with torch.enable_grad():
            loss = closure()
        torch._foreach_copy_(params, kept)
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        grads = [p.grad for p in params]
        if group["weight_decay"]:
            grads = list(torch._foreach_add(grads, params, alpha=group["weight_decay"]))
        if group["momentum"]:
            for p in params:
                if not self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
            buffers = [self.state[p]["momentum_buffer"] for p in params]
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, grads)
            grads = list(torch._foreach_add(grads, buffers, alpha=group["momentum"])) if group["nesterov"] else buffers
        torch._foreach_sub_(params, torch._foreach_mul(grads, group["lr"]))
