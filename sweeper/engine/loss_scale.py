"""The loss scale of fp16 training."""

from typing import Any

import torch
from torch.optim import Optimizer


class LossScale:
    """Loss scaling for fp16 (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2), on the device.

    As in torch's GradScaler, a step whose gradients overflow is skipped and halves the scale; `INTERVAL` consecutive
    steps without overflow double it.
    """

    INTERVAL = 2000
    GROWTH, BACKOFF = 2.0, 0.5

    def __init__(self, device: torch.device, initial: float = 2.0**16) -> None:
        self.scale = torch.full((1,), initial, device=device)
        self.steps_in_a_row = torch.zeros(1, dtype=torch.int32, device=device)
        self.overflow = torch.zeros(1, device=device)  # 1 if the latest step overflowed, else 0

    def tensors(self) -> list[torch.Tensor]:
        return [self.scale, self.steps_in_a_row, self.overflow]

    @torch.no_grad()
    def unscale(self, optimizer: Optimizer) -> torch.Tensor:
        """Divide the gradients by the scale. Returns a (1,) tensor: 1 if any of them isn't finite, else 0."""
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        self.overflow.zero_()
        torch._amp_foreach_non_finite_check_and_unscale_(grads, self.overflow, self.scale.reciprocal())
        return self.overflow

    @torch.no_grad()
    def update(self) -> None:
        """Halve or double the scale after a step."""
        torch._amp_update_scale_(
            self.scale, self.steps_in_a_row, self.overflow, self.GROWTH, self.BACKOFF, self.INTERVAL
        )

    def state_dict(self) -> dict[str, Any]:
        return {"scale": self.scale, "steps_in_a_row": self.steps_in_a_row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.scale.copy_(state["scale"])
        self.steps_in_a_row.copy_(state["steps_in_a_row"])
