"""Weights in bf16 or fp16 for the forward pass, made once a step, beside the fp32 ones that the optimizer trains."""

import torch
from torch import nn
from torch.func import functional_call

from sweeper.engine.kernels.branches import Branches

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)  # what autocast computes in low precision


class LowPrecisionWeights:
    """What autocast does for the layers of a model, with two kernels a step instead of two for each weight.

    Autocast casts every weight by itself and every gradient back; here one kernel casts all weights and one all
    gradients, but for those of convolutions, which `Branches` makes. The numbers are the same to the bit.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        owned = {
            id(p)
            for layer in model.modules()
            if isinstance(layer, LAYERS)
            for p in layer.parameters(recurse=False)
            if p.requires_grad and p.dtype == torch.float32
        }
        self.model = model
        self.weights = {name: p for name, p in model.named_parameters() if id(p) in owned}
        self.copies = {name: torch.empty_like(p, dtype=dtype).requires_grad_() for name, p in self.weights.items()}
        owners = {id(copy): self.weights[name] for name, copy in self.copies.items()}
        self.branches = Branches(owners, beside=_has_the_gpu_alone(list(self.weights.values())))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """The model's logits, by copies of its weights as they are now."""
        with torch.no_grad():
            torch._foreach_copy_(list(self.copies.values()), list(self.weights.values()))
        with self.branches:
            logits: torch.Tensor = functional_call(self.model, self.copies, (images,))
        return logits

    @torch.no_grad()
    def move_gradients(self) -> None:
        """From the copies to the weights, as fp32."""
        gradients = {name: copy.grad for name, copy in self.copies.items() if copy.grad is not None}
        moved = {name: torch.empty_like(self.weights[name]) for name in gradients}
        torch._foreach_copy_(list(moved.values()), list(gradients.values()))
        for name, gradient in moved.items():
            self.weights[name].grad = gradient
            self.copies[name].grad = None
        for weight, gradient in self.branches.collect():
            weight.grad = gradient if weight.grad is None else weight.grad + gradient


def _has_the_gpu_alone(weights: list[torch.Tensor]) -> bool:
    """Lanes have streams of their own; a run alone stays on the default one."""
    return any(w.is_cuda for w in weights) and torch.cuda.current_stream() == torch.cuda.default_stream()
