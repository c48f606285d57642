"""Factors on an optimizer's learning rate and weight decay: one search for all optimizers, around each one's values."""

import math
from typing import Any

from sweeper.runs.checks import is_plain_number
from sweeper.system.errors import BadInput

RATES = {"lr": "weight_decay", "adamw_lr": "adamw_weight_decay"}  # the second of each: Muon's for the other parameters
# Each factor and the option that it is a factor of, for an optimizer that has one of a kind.
FACTORS = {
    "lr_factor": "optimizer.lr",
    "weight_decay_factor": "optimizer.weight_decay",
    "decay_factor": "optimizer.weight_decay",
}

# Adaptive methods whose decay goes through the gradient: it is scaled with the gradient, so lr doesn't multiply it.
_IN_THE_GRADIENT = tuple(f"torch.optim.{name}" for name in ("Adadelta", "Adagrad", "Adam", "Adamax", "NAdam", "RAdam"))
_IN_THE_GRADIENT += ("torch.optim.RMSprop", "torch.optim.Rprop")
_DECOUPLED = ("decoupled_weight_decay", "weight_decouple")  # torch's and pytorch_optimizer's switch


def apply_factors(config: dict[str, Any]) -> None:
    """Replace the factors in a configuration by the values that they give.

    A run with a factor and one with the resulting value are the same run. `lr_factor` multiplies the learning rates,
    `weight_decay_factor` the weight decay. With `decay_factor` the product of learning rate and weight decay is the
    published one's times this factor, whatever `lr_factor`; for adaptive methods with the decay in the gradient it is
    the weight decay itself. It gives a weight decay of four digits.

    Raises:
        BadInput: a factor isn't a number above 0, or both factors of the weight decay are given.
    """
    lr, decay, product = (config.pop(name) for name in FACTORS)
    for name, factor in zip(FACTORS, (lr, decay, product), strict=True):
        if factor is not None and (not is_plain_number(factor) or not 0 < factor < math.inf):
            raise BadInput(f"{name}={factor}: must be a number above 0")
    for name, factor in (("lr_factor", lr), ("weight_decay_factor", decay)):
        if factor is None:
            raise BadInput(f"{name}=null: must be a number above 0")
    if product is not None and decay != 1:
        given = f"decay_factor={product:.12g} and weight_decay_factor={decay:.12g}"
        raise BadInput(f"{given}: both are of the weight decay; give one of them")
    optimizer = config["optimizer"]
    multiplied = product is not None and decay_is_multiplied(optimizer)
    for rate, weight_decay in RATES.items():
        _multiply(optimizer, rate, lr)
        if product is not None:
            _multiply(optimizer, weight_decay, product / lr if multiplied else product, digits=4)
    _multiply(optimizer, "weight_decay", decay)


def decay_is_multiplied(optimizer: dict[str, Any]) -> bool:
    """Whether weights shrink by lr x weight_decay a step: decoupled decay, and SGD; so this product is the axis."""
    for switch in _DECOUPLED:
        if isinstance(optimizer.get(switch), bool):
            return bool(optimizer[switch])
    return optimizer.get("_target_") not in _IN_THE_GRADIENT


def has_decay(optimizer: dict[str, Any]) -> bool:
    return any(is_plain_number(value := optimizer.get(name)) and value > 0 for name in RATES.values())


def _multiply(optimizer: dict[str, Any], name: str, factor: float, digits: int = 12) -> None:
    value = optimizer.get(name)
    if factor != 1 and is_plain_number(value):
        optimizer[name] = float(f"{value * factor:.{digits}g}")
