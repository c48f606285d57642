"""Copies of the weights in bf16 or fp16 for the forward pass, made once per step; the fp32 ones are trained."""

import torch
from torch import nn
from torch.func import functional_call

from sweeper.engine.kernels.branches import Branches

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)  # those that autocast computes in low precision


class LowPrecisionWeights:
    """Does what autocast does for a model's layers, with two kernels per step instead of two per weight.

    Autocast casts each weight and each gradient separately. Here one kernel casts all weights and one all gradients,
    except those of convolutions, which `Branches` computes. The results are equal bit for bit.
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
        self.branches = Branches(owners, beside=any(p.is_cuda for p in self.weights.values()))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """The model's logits, computed with copies of its current weights."""
        with torch.no_grad():
            torch._foreach_copy_(list(self.copies.values()), list(self.weights.values()))
        with self.branches:
            logits: torch.Tensor = functional_call(self.model, self.copies, (images,))
        return logits

    @torch.no_grad()
    def move_gradients(self) -> None:
        """Move the gradients from the copies to the weights, cast to fp32."""
        gradients = {name: copy.grad for name, copy in self.copies.items() if copy.grad is not None}
        moved = {name: torch.empty_like(self.weights[name]) for name in gradients}
        torch._foreach_copy_(list(moved.values()), list(gradients.values()))
        for name, gradient in moved.items():
            self.weights[name].grad = gradient
            self.copies[name].grad = None
        for weight, gradient in self.branches.collect():
            weight.grad = gradient if weight.grad is None else weight.grad + gradient
