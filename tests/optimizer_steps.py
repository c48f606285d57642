"""Parameters and gradients on which an optimizer and its twin take the same steps."""

import torch
from torch import nn
from torch.nn import functional

# Hidden weights: lying, standing and square matrices, two of one shape lying and standing, and convolutions' kernels.
HIDDEN = [(6, 10), (10, 6), (7, 7), (6, 10), (8, 4, 3, 3), (4, 8, 1, 1), (40, 4, 3, 3)]
OTHER = [(5, 3, 3, 3), (8,), (8,), (10, 8), (10,)]


def draw(shapes: list[tuple[int, ...]], seed: int, dtype=torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def parameters(shapes: list[tuple[int, ...]], dtype=torch.float32) -> list[nn.Parameter]:
    return [nn.Parameter(p) for p in draw(shapes, seed=0, dtype=dtype)]


def follow(optimizer: torch.optim.Optimizer, params: list[nn.Parameter], steps: int = 50) -> list[torch.Tensor]:
    """The parameters after `steps` steps on random gradients that get smaller, at a rate that falls."""
    full = [group["lr"] for group in optimizer.param_groups]
    for step in range(steps):
        for p, grad in zip(params, draw([p.shape for p in params], seed=1 + step, dtype=params[0].dtype), strict=True):
            p.grad = grad / (1 + step)
        for group, lr in zip(optimizer.param_groups, full, strict=True):
            group["lr"] = lr * (1 - step / steps)
        optimizer.step()
    return [p.detach() for p in params]


class Regression:
    """A problem whose gradients depend on the weights; `guess` asks for other targets."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(8, 5, generator=generator, dtype=torch.float64)
        self.y = torch.randn(8, 3, generator=generator, dtype=torch.float64)
        self.guesses = torch.randn(8, 3, generator=generator, dtype=torch.float64)
        self.params = [
            nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64)) for shape in ((4, 5), (3, 4))
        ]

    def closure(self, guess: bool = False) -> torch.Tensor:
        for p in self.params:
            p.grad = None
        first, second = self.params
        loss = functional.mse_loss((self.x @ first.T).tanh() @ second.T, self.guesses if guess else self.y)
        loss.backward()
        return loss.detach()

    def follow(self, optimizer: torch.optim.Optimizer, steps: int = 6) -> list[torch.Tensor]:
        """The parameters after `steps` steps of an optimizer that calls its closure."""
        for _ in range(steps):
            self.closure()
            optimizer.step(self.closure)
        return [p.detach() for p in self.params]
