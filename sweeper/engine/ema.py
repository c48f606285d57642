"""An exponential moving average of a model's weights."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn


class ExponentialMovingAverage:
    """The average a of a model's weights θ, updated after each step: a ← decay · a + (1 - decay) · θ.

    It begins at the initial weights and includes the buffers, so batch norm's running statistics; buffers of integers
    are copied. So do timm's `ModelEmaV3` (github.com/huggingface/pytorch-image-models, timm/utils/model_ema.py) and
    torch's `AveragedModel` with `use_buffers=True`.

    Args:
        decay: in (0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.average = {name: tensor.detach().clone() for name, tensor in _tensors(model).items()}

    def tensors(self) -> list[torch.Tensor]:
        return list(self.average.values())

    @torch.no_grad()
    def update(self) -> None:
        """Add the model's present weights."""
        averages, weights = [], []
        for name, weight in _tensors(self.model).items():
            if weight.is_floating_point() or weight.is_complex():
                averages.append(self.average[name])
                weights.append(weight)
            else:
                self.average[name].copy_(weight)
        torch._foreach_lerp_(averages, weights, 1 - self.decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """A context in which the average stands in the model; on exit the model has its own weights, bit for bit."""
        own = {name: tensor.detach().clone() for name, tensor in _tensors(self.model).items()}
        self._put(self.average)
        yield
        self._put(own)

    @torch.no_grad()
    def _put(self, values: dict[str, torch.Tensor]) -> None:
        for name, tensor in _tensors(self.model).items():
            tensor.copy_(values[name])

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self.average

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        for name, tensor in self.average.items():
            tensor.copy_(state[name])


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Each parameter and buffer once, by name. A model may replace its buffers, so they are looked up at each use."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
