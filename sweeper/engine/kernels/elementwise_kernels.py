"""Triton kernels for the steps of Lion and AdamW: all parameters of a group at once, by a table of their addresses.

Each value of the gradient, the state and the weight is read once and written once. The formulas and the order of
operations are those of `sweeper/optimizers/`.
"""

import torch
import triton
import triton.language as tl
from torch.optim import Optimizer

from sweeper.engine.kernels.addresses import blocks
from sweeper.engine.kernels.optimizer_group import Group

LION_BLOCK = 2048
ADAMW_BLOCK = 512  # its parameters are mostly vectors
WARPS = 4


@triton.jit
def pointer(addresses, k):
    """A pointer to the fp32 tensor whose address is at `k`."""
    return tl.load(addresses + k).to(tl.pointer_type(tl.float32))


@triton.jit
def lerp(start, end, weight):
    """torch.lerp, by the same formula."""
    return tl.where(weight < 0.5, start + weight * (end - start), end - (end - start) * (1 - weight))


@triton.jit
def _places(tensor, start, ALIGNED: tl.constexpr, BLOCK: tl.constexpr):
    """Pointers to a block; with ALIGNED each thread loads 16 bytes at a time."""
    pointers = tensor + start + tl.arange(0, BLOCK)
    if ALIGNED:
        pointers = tl.multiple_of(pointers, 16)
    return pointers


@triton.jit
def _lion_step(
    addresses, tensor, tensors, start, mask, lr, weight_decay, beta1, beta2,
    ALIGNED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    weight = _places(pointer(addresses, tensor), start, ALIGNED, BLOCK)
    momentum = _places(pointer(addresses, 2 * tensors + tensor), start, ALIGNED, BLOCK)
    g = tl.load(_places(pointer(addresses, tensors + tensor), start, ALIGNED, BLOCK), mask=mask)
    m = tl.load(momentum, mask=mask)
    p = tl.load(weight, mask=mask)
    direction = lerp(g, m, beta1)
    update = tl.where(direction > 0, lr, tl.where(direction < 0, -lr, 0.0))
    tl.store(weight, p * (1 - lr * weight_decay) - update, mask=mask)
    tl.store(momentum, lerp(m, g, 1 - beta2), mask=mask)


@triton.jit
def lion_kernel(addresses, blocks, tensors, lr, weight_decay, beta1, beta2, BLOCK: tl.constexpr):
    """Step one block. `addresses` are of `tensors` weights, gradients and momenta."""
    row = blocks + 3 * tl.program_id(0)
    tensor, start, size = tl.load(row), tl.load(row + 1) * BLOCK, tl.load(row + 2)
    rate = tl.load(lr)
    if start + BLOCK <= size:
        _lion_step(addresses, tensor, tensors, start, None, rate, weight_decay, beta1, beta2, True, BLOCK)
    else:
        mask = start + tl.arange(0, BLOCK) < size
        _lion_step(addresses, tensor, tensors, start, mask, rate, weight_decay, beta1, beta2, False, BLOCK)


@triton.jit
def _power(base, exponent):
    """base to the exponent, correctly rounded but for the last bit, since 1 - base**exponent loses digits."""
    return tl.exp(tl.log(base.to(tl.float64)) * exponent.to(tl.float64)).to(tl.float32)


@triton.jit
def adamw_kernel(
    addresses, blocks, tensors, lr, steps, weight_decay, beta1, beta2, eps, BLOCK: tl.constexpr
):  # fmt: skip
    """Step one block. `addresses` are of `tensors` weights, gradients, first and second moments."""
    row = blocks + 3 * tl.program_id(0)
    tensor, start, size = tl.load(row), tl.load(row + 1) * BLOCK, tl.load(row + 2)
    rate = tl.load(lr)
    done = tl.load(steps)
    beta1, beta2 = tl.full((), beta1, tl.float32), tl.full((), beta2, tl.float32)
    mask = start + tl.arange(0, BLOCK) < size
    weight = _places(pointer(addresses, tensor), start, False, BLOCK)
    first = _places(pointer(addresses, 2 * tensors + tensor), start, False, BLOCK)
    second = _places(pointer(addresses, 3 * tensors + tensor), start, False, BLOCK)
    g = tl.load(_places(pointer(addresses, tensors + tensor), start, False, BLOCK), mask=mask, other=0.0)
    m = lerp(tl.load(first, mask=mask, other=0.0), g, 1 - beta1)
    v = lerp(tl.load(second, mask=mask, other=0.0), g * g, 1 - beta2)
    denominator = tl.sqrt(v / (1 - _power(beta2, done))) + eps
    update = m / (1 - _power(beta1, done)) / denominator
    p = tl.load(weight, mask=mask, other=0.0)
    tl.store(weight, p * (1 - rate * weight_decay) - rate * update, mask=mask)
    tl.store(first, m, mask=mask)
    tl.store(second, v, mask=mask)


class LionGroup(Group):
    """The step of a group of `sweeper.optimizers.Lion`."""

    STATE = ("exp_avg",)

    def __init__(self, optimizer: Optimizer, number: int) -> None:
        super().__init__(optimizer, number)
        self._blocks = blocks(self.params, LION_BLOCK)

    def step(self) -> None:
        beta1, beta2 = self.options["betas"]
        self.write_addresses()
        lion_kernel[(len(self._blocks),)](
            self.addresses.table, self._blocks, len(self.params), self.rate(),
            float(self.options["weight_decay"]), float(beta1), float(beta2), BLOCK=LION_BLOCK, num_warps=WARPS,
        )  # fmt: skip


class AdamWGroup(Group):
    """The step of a group of `sweeper.optimizers.Muon` with the role "other"."""

    STATE = ("exp_avg", "exp_avg_sq")

    def __init__(self, optimizer: Optimizer, number: int) -> None:
        super().__init__(optimizer, number)
        self._blocks = blocks(self.params, ADAMW_BLOCK)

    def step(self) -> None:
        options = self.options
        beta1, beta2 = options["betas"]
        self.write_addresses()
        first = self.optimizer.state[self.params[0]]
        if "steps_done" not in first:
            first["steps_done"] = torch.zeros((), device=self.device)
        adamw_kernel[(len(self._blocks),)](
            self.addresses.table, self._blocks, len(self.params), self.rate(), first["steps_done"].add_(1),
            float(options["weight_decay"]), float(beta1), float(beta2), float(options["eps"]),
            BLOCK=ADAMW_BLOCK, num_warps=WARPS,
        )  # fmt: skip
