"""One training step, on tensors with fixed addresses, so that a CUDA graph can replay it."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer

from sweeper.engine.augment import Batches, EpochOrder
from sweeper.engine.devices import Device
from sweeper.engine.ema import ExponentialMovingAverage
from sweeper.engine.kernels.optimizer_step import fused_step
from sweeper.engine.loss_scale import LossScale
from sweeper.engine.low_precision import LowPrecisionWeights
from sweeper.engine.meter import Meter
from sweeper.engine.rates import Rates
from sweeper.engine.state import parameters_of
from sweeper.system.errors import BadInput


class Step:
    """Gathers and augments a batch, computes loss and gradients, updates the weights and adds to the meter.

    All that it reads from the host is constant. Its position in the epoch is in tensors on the device, which each step
    advances.

    Args:
        forward: the forward pass to use instead of the model's own; see `sweeper/engine/fuse.py`.
        label_smoothing: of the training loss; see `torch.nn.functional.cross_entropy`.
        clip_grad_norm: the largest norm of all gradients together; see `torch.nn.utils.clip_grad_norm_`. It limits each
            set of gradients that the optimizer gets, those that its closure computes too.
        ema: an average of the weights to update after each step.
        rates: the table in which a step that runs without the host looks up its learning rates.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        batches: Batches,
        order: EpochOrder,
        meter: Meter,
        device: Device,
        batch_size: int,
        forward: nn.Module | None = None,
        label_smoothing: float = 0.0,
        clip_grad_norm: float | None = None,
        ema: ExponentialMovingAverage | None = None,
        rates: Rates | None = None,
    ) -> None:
        forward = model if forward is None else forward
        self.model, self.optimizer, self.device = model, optimizer, device
        self.batches, self.order, self.meter = batches, order, meter
        self.batch_size, self.rates = batch_size, rates
        self.label_smoothing, self.clip_grad_norm, self.ema = label_smoothing, clip_grad_norm, ema
        self.forward: Callable[[torch.Tensor], torch.Tensor] = torch.compile(model) if device.compile else forward
        self.low_precision = None
        if (
            device.graphs and device.low_precision is not None and not device.compile
        ):  # a compiled model casts its weights itself
            self.forward = self.low_precision = LowPrecisionWeights(forward, device.low_precision)
        self.loss_scale = LossScale(device.torch_device) if device.precision == "fp16" else None
        self.needs_closure = bool(getattr(optimizer, "needs_closure", False))
        if self.needs_closure and self.loss_scale is not None:
            raise BadInput(
                "device.precision=fp16: this optimizer computes gradients again within its step, which loss scaling "
                "doesn't support; use device.precision=fp32, or bf16 where the GPU has it"
            )
        self.fused_step = None if self.needs_closure else fused_step(optimizer)
        self._within_batch = torch.arange(batch_size, device=device.torch_device)
        self._next_image = torch.zeros(1, dtype=torch.int64, device=device.torch_device)
        self._next_step = torch.zeros(1, dtype=torch.int64, device=device.torch_device)

    def seek(self, step: int) -> None:
        """Set the position to the epoch's step `step`, from 0."""
        self._next_step.fill_(step)
        self._next_image.fill_(step * self.batch_size)

    def tensors(self) -> list[torch.Tensor]:
        """All tensors that a step changes, except the optimizer's state, which may not exist yet."""
        scale = [] if self.loss_scale is None else self.loss_scale.tensors()
        average = [] if self.ema is None else self.ema.tensors()
        position = self._next_image, self._next_step
        return [*self.model.state_dict().values(), *self.meter.tensors(), *position, *scale, *average]

    def run(self, size: int) -> None:
        """Train one step with a batch of `size` images; may use the host."""
        self.differentiate(size)
        self.update()

    def run_alone(self, size: int) -> None:
        """Train one step without the host, so that a CUDA graph can capture it."""
        if self.rates is not None:
            self.rates.look_up(self._next_step)
        self.differentiate(size)
        self.update_alone()

    def differentiate(self, size: int) -> None:
        """The step up to the gradients, which it leaves in the parameters' `grad`."""
        # Steps that are tried and undone may pass the end of the epoch: the modulo keeps them inside.
        places = (self._next_image + self._within_batch[:size]) % len(self.batches)
        self._images, self._labels, index = self.batches.take(self.order, places)
        labels = self._labels
        loss, logits = self._backward(labels)
        self.meter.add(self._next_step % len(self.meter.losses), loss, logits.argmax(1) == labels, index)
        self._next_image += size
        self._next_step += 1

    def _backward(self, labels: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and logits of the current batch; leaves the gradients. With None, labels are drawn from the model."""
        clear_gradients(self.optimizer)
        with self.device.autocast():
            logits = self.forward(self._batch())
        smoothing = self.label_smoothing
        if labels is None:
            smoothing = 0.0  # the curvature of the loss doesn't depend on the labels
            labels = logits.detach().float().softmax(1).multinomial(1).squeeze(1)
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        (loss if self.loss_scale is None else loss * self.loss_scale.scale).backward()
        if self.low_precision is not None:
            self.low_precision.move_gradients()
        if self.loss_scale is None:
            self._clip()
        return loss, logits

    def _batch(self) -> torch.Tensor:
        """The images for one forward pass: a copy if others follow, since the model may change its input in place."""
        layout = self.device.memory_format
        return (
            self._images.clone(memory_format=layout)
            if self.needs_closure
            else self._images.contiguous(memory_format=layout)
        )

    def again(self, guess: bool = False) -> torch.Tensor:
        """The closure for optimizers with `needs_closure`: loss and gradients of the same batch at the current weights.

        The model's running statistics stay as the step's first pass left them.

        Args:
            guess: use labels drawn from the model's probabilities instead of the batch's labels.
        """
        buffers = list(self.model.buffers())
        kept = [buffer.clone() for buffer in buffers]
        with torch.enable_grad():
            loss, _ = self._backward(None if guess else self._labels)
        with torch.no_grad():
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.copy_(before)
        return loss.detach()

    def _clip(self) -> None:
        if self.clip_grad_norm is not None:
            nn.utils.clip_grad_norm_(parameters_of(self.optimizer), self.clip_grad_norm)

    def _unscale(self, loss_scale: LossScale) -> torch.Tensor:
        """Divide the gradients by the loss scale, and clip them. Returns (1,): above 0 if they overflowed."""
        overflow = loss_scale.unscale(self.optimizer)
        self._clip()
        return overflow

    def _average(self) -> None:
        if self.ema is not None:
            self.ema.update()

    def _step_optimizer(self) -> None:
        if self.needs_closure:
            self.optimizer.step(self.again)  # type: ignore[arg-type]
        elif self.fused_step is not None:
            self.fused_step()
        else:
            self.optimizer.step()

    @torch.no_grad()
    def forward_batches(self, count: int) -> Iterator[None]:
        """Run the model forward on the epoch's first `count` batches; yields before each."""
        trained = int(self.meter.sizes.sum())  # images of an epoch
        for start in range(0, min(count * self.batch_size, trained), self.batch_size):
            yield
            places = start + self._within_batch[: trained - start]
            images, _, _ = self.batches.take(self.order, places)
            with self.device.autocast():
                self.forward(images.contiguous(memory_format=self.device.memory_format))

    def update(self) -> None:
        """The optimizer's step; skipped if gradients overflowed under loss scaling."""
        self.meter.set_lr(self.optimizer.param_groups[0]["lr"])
        if self.loss_scale is None or not self._unscale(self.loss_scale).item():
            self._step_optimizer()
        if self.loss_scale is not None:
            self.loss_scale.update()
        self._average()

    def update_alone(self) -> None:
        """`update` without the host: if gradients overflowed, weights and state are restored, for any optimizer."""
        self.meter.set_lr(self.optimizer.param_groups[0]["lr"])
        if self.loss_scale is None:
            self._step_optimizer()
            self._average()
            return
        overflow = self._unscale(self.loss_scale).squeeze() > 0
        changed = [*self.model.parameters(), *state_tensors(self.optimizer)]
        before = [tensor.detach().clone() for tensor in changed]
        self._step_optimizer()
        with torch.no_grad():
            for tensor, old in zip(changed, before, strict=True):
                tensor.copy_(torch.where(overflow, old, tensor))
        self.loss_scale.update()
        self._average()

    @property
    def overflowed(self) -> bool:
        """Whether the latest step was skipped; waits for the device."""
        return self.loss_scale is not None and bool(self.loss_scale.overflow.item())


def clear_gradients(optimizer: Optimizer) -> None:
    """Set all gradients to None, so that a graph neither zeroes the previous step's nor adds to them."""
    try:
        optimizer.zero_grad(set_to_none=True)
    except TypeError:  # its own method takes no arguments, as PyTorch's once did
        optimizer.zero_grad()
        for parameter in parameters_of(optimizer):
            parameter.grad = None


def state_tensors(optimizer: Optimizer) -> list[torch.Tensor]:
    """Every tensor in the optimizer's state, nested ones included."""

    def walk(value: Any) -> list[torch.Tensor]:
        if isinstance(value, torch.Tensor):
            return [value]
        if isinstance(value, dict):
            value = list(value.values())
        return [t for item in value for t in walk(item)] if isinstance(value, (list, tuple)) else []

    return walk(list(optimizer.state.values()))
