"""Compares two states bit for bit."""

import math
from collections.abc import Mapping
from typing import Any

import torch


def first_difference(one: Any, other: Any, name: str = "") -> str | None:
    """Where two encoded values first differ, by a dotted name; None if they are equal bit for bit. NaN equals NaN."""
    if type(one) is not type(other):
        return name
    if isinstance(one, torch.Tensor):
        same = one.shape == other.shape and one.dtype == other.dtype and one.device == other.device
        return None if same and (torch.equal(one, other) or torch.equal(_bytes(one), _bytes(other))) else name
    if isinstance(one, Mapping):
        if one.keys() != other.keys():
            return f"{name}.{sorted(map(str, one.keys() ^ other.keys()))[0]}".lstrip(".")
        pairs = [(f"{name}.{key}".lstrip("."), one[key], other[key]) for key in one]
    elif isinstance(one, (list, tuple)):
        if len(one) != len(other):
            return name
        pairs = [(f"{name}.{k}", a, b) for k, (a, b) in enumerate(zip(one, other, strict=True))]
    else:
        nan = isinstance(one, float) and math.isnan(one) and math.isnan(other)
        return None if nan or one == other else name
    return next((found for part, a, b in pairs if (found := first_difference(a, b, part)) is not None), None)


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)
