"""Learning rate schedules, stepped once after each training step.

Each schedule is a factor that depends on the step only; torch's `LambdaLR` multiplies every parameter group's `lr` by
it. Torch's recursive schedulers joined by `SequentialLR` would give the same curves, but `SequentialLR` warns in some
versions of torch, and the recursion accumulates rounding errors when `lr` is a float32 tensor.

Steps count from 0 to `total_steps - 1`; the factor is above 0 unless an option sets it to 0. Fractions are of
`total_steps`, in [0, 1]. The warm-up rises linearly to the full rate and reaches it in the last step at the latest.
Where warm-up and decay overlap, the lower factor applies.
"""

import math
from collections.abc import Callable, Sequence

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def constant(optimizer: Optimizer, total_steps: int, warmup_fraction: float) -> LambdaLR:
    """The full rate to the end, after the warm-up.

    Raises:
        ValueError: a fraction is outside [0, 1]; likewise in the other schedules.
    """
    return _schedule(optimizer, total_steps, warmup_fraction, lambda step: 1.0)


def cosine(optimizer: Optimizer, total_steps: int, warmup_fraction: float, final_fraction: float) -> LambdaLR:
    """Half a cosine from the full rate, after the warm-up, to `final_fraction` of it: arXiv 1608.03983, eq. 5."""
    _check("final_fraction", final_fraction)
    warmup_steps = _warmup_steps(total_steps, warmup_fraction)

    def factor(step: int) -> float:
        progress = max(0, step - warmup_steps) / (total_steps - warmup_steps)
        return final_fraction + (1 - final_fraction) * (1 + math.cos(math.pi * progress)) / 2

    return _schedule(optimizer, total_steps, warmup_fraction, factor)


def step(
    optimizer: Optimizer, total_steps: int, warmup_fraction: float, milestones: Sequence[float], gamma: float
) -> LambdaLR:
    """Multiply the rate by `gamma`, in [0, 1], at each of `milestones`, which are fractions of `total_steps`."""
    _check("gamma", gamma)
    for k, milestone in enumerate(milestones):
        _check(f"milestones[{k}]", milestone)
    steps = [max(1, round(milestone * total_steps)) for milestone in milestones]
    return _schedule(optimizer, total_steps, warmup_fraction, lambda step: gamma ** sum(step >= m for m in steps))


def wsd(optimizer: Optimizer, total_steps: int, warmup_fraction: float, decay_fraction: float) -> LambdaLR:
    """Warm-up, stable (arXiv 2404.06395), and a linear decay to 0 over the last `decay_fraction` (arXiv 2405.18392)."""
    _check("decay_fraction", decay_fraction)
    decay_steps = max(1, round(decay_fraction * total_steps))
    return _schedule(optimizer, total_steps, warmup_fraction, lambda step: min(1.0, (total_steps - step) / decay_steps))


def _schedule(
    optimizer: Optimizer, total_steps: int, warmup_fraction: float, factor: Callable[[int], float]
) -> LambdaLR:
    warmup_steps = _warmup_steps(total_steps, warmup_fraction)

    def warmed_up(step: int) -> float:
        step = min(step, total_steps)
        return min((step + 1) / (warmup_steps + 1), factor(step))

    return LambdaLR(optimizer, warmed_up)


def _warmup_steps(total_steps: int, warmup_fraction: float) -> int:
    """The number of warm-up steps; at least one if `warmup_fraction` > 0 and there are two steps or more."""
    _check("warmup_fraction", warmup_fraction)
    return min(max(1, round(warmup_fraction * total_steps)), total_steps - 1) if warmup_fraction else 0


def _check(name: str, fraction: float) -> None:
    if not 0 <= fraction <= 1:
        raise ValueError(f"{name}={fraction}: must lie in [0, 1]")
