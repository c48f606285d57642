"""Validates a checkpoint's types, ranges and shapes before any of it is used."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from sweeper.runs.checks import is_integer, is_plain_number
from sweeper.runs.metrics import METRICS
from sweeper.system.text import counted

# Columns that are empty without label noise or without validation images.
_OPTIONAL = ("clean_train_accuracy", "corrupted_train_accuracy", "val_loss", "val_accuracy")
OPTIONAL_PARTS = ("loss_scale", "attributes")  # started in another precision, or by an earlier version
FORM = "__form__"  # the key of a dictionary that stands for a value of another type; see `plain_form.py`
_OWN_LEFT_OUT = ("verbose",)  # in schedules of older torch; names with an underscore are ignored too


class Unfit(Exception):
    """A checkpoint is whole, but the run can't resume from it. The message is one line that follows the file's name."""


@dataclass(frozen=True)
class Signature:
    """The values that a checkpoint must match to be used.

    Attributes:
        run: the run's name.
        data_digest: the digest of all images and labels.
        steps: steps per epoch.
        validated: whether images are held out for validation.
    """

    run: str
    data_digest: str
    epochs: int
    steps: int
    validated: bool


def check_progress(state: dict[str, Any], signature: Signature) -> None:
    """Raises Unfit if `epoch`, `step`, `rows` or `data_digest` has the wrong type, is out of range, or contradicts
    another."""
    epoch, step, rows = (state.get(name) for name in ("epoch", "step", "rows"))
    if not is_integer(epoch) or not 1 <= epoch <= signature.epochs:
        raise Unfit(f"its epoch is {epoch!r:.40}, of {signature.epochs}")
    if not is_integer(step) or not 0 <= step <= signature.steps:
        raise Unfit(f"its step is {step!r:.40}, of {signature.steps} in an epoch")
    if not isinstance(rows, list) or len(rows) != epoch - 1:
        raise Unfit(f"it has no rows of {counted(epoch - 1, 'epoch')}")
    for k, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not _is_row(row, signature.validated):
            raise Unfit(f"its row {k} isn't one of metrics")
        if (row["epoch"], row["step"]) != (k, k * signature.steps):
            raise Unfit(f"its row {k} is of epoch {row['epoch']}, step {row['step']}")
    if not isinstance(state.get("data_digest"), str):
        raise Unfit("it has no digest of its data")


def check_parts(state: dict[str, Any], here: dict[str, dict[str, Any]]) -> None:
    """Compare the saved states of model, optimizer, schedule and meter with the states of the parts to be loaded.

    Args:
        here: the parts' current states.

    Raises:
        Unfit: a state is missing or has another form.
    """
    for name, own in here.items():
        if name in OPTIONAL_PARTS and name not in state:
            continue
        saved = state.get(name)
        if not isinstance(saved, Mapping):
            raise Unfit(f"it has no state of the {name}")
        if name == "optimizer":
            _check_optimizer(saved, own)
        elif name == "schedule":
            _check_schedule(saved, own)
        elif name != "attributes":  # checked while they are restored, since any may be missing
            if saved.keys() != own.keys():
                raise Unfit(f"the {name} has other parts: {_some(saved.keys() ^ own.keys())}")
            _check_form(name, saved, own)


def check_stepped(state: Mapping[str, Any], stepped: Mapping[int, Any]) -> None:
    """Compare an optimizer's saved state with that of the same optimizer after one step.

    Args:
        state: the saved state by parameter.
        stepped: the state after one step, for parameters of the same shapes.

    Raises:
        Unfit: something is missing or has another shape.
    """
    if not state and any(stepped.values()):
        raise Unfit("the optimizer's state is empty")
    for number, saved in state.items():
        if saved and (missing := stepped.get(number, {}).keys() - saved.keys()):  # type: ignore[call-overload]
            raise Unfit(f"the optimizer's state lacks {_some(missing)}")
        _check_form("optimizer", saved, stepped.get(number, {}))  # type: ignore[call-overload]


def _is_row(row: dict[str, Any], validated: bool) -> bool:
    needed = {name for name in METRICS if name not in _OPTIONAL} | (
        {"val_loss", "val_accuracy"} if validated else set()
    )
    if not needed <= row.keys() <= set(METRICS):
        return False
    for name, value in row.items():
        if value is None and name not in needed:
            continue
        if not is_plain_number(value):
            return False
        if name.endswith("_accuracy") and not 0 <= value <= 1:
            return False
        if name in ("train_seconds", "images_per_second") and not 0 <= value < math.inf:
            return False
    return True


def _check_optimizer(saved: Mapping[str, Any], own: dict[str, Any]) -> None:
    groups, state = saved.get("param_groups"), saved.get("state")
    if not isinstance(groups, list) or not isinstance(state, Mapping) or len(groups) != len(own["param_groups"]):
        raise Unfit("the optimizer has other parameter groups")
    for group, its in zip(groups, own["param_groups"], strict=True):
        if not isinstance(group, dict) or group.get("params") != its["params"]:
            raise Unfit("the optimizer has other parameters")
        _check_form("optimizer", group, {key: value for key, value in its.items() if key in group})
    numbers = {number for group in own["param_groups"] for number in group["params"]}
    for number, values in state.items():
        if not isinstance(number, str) and (number not in numbers or not isinstance(values, Mapping)):
            raise Unfit("the optimizer's state is of other parameters")


def _check_schedule(saved: Mapping[str, Any], own: dict[str, Any]) -> None:
    for key in saved:
        if key not in own and not (isinstance(key, str) and key.startswith(("_", *_OWN_LEFT_OUT))):
            raise Unfit("the schedule is another")
    if "last_epoch" not in saved:
        raise Unfit("the schedule's state has no step")
    _check_form("schedule", saved, {key: value for key, value in own.items() if key in saved})


def _check_form(name: str, saved: Any, own: Any) -> None:
    """Check that tensors have the same shapes, lists the same lengths, and numbers are numbers; accept all else."""
    if isinstance(own, torch.Tensor):
        of_one = own.ndim == 0 and is_plain_number(saved)
        if not of_one and not (isinstance(saved, torch.Tensor) and saved.shape == own.shape):
            raise Unfit(f"the {name} has tensors of other shapes")
    elif is_plain_number(own):
        if not is_plain_number(saved) and not (isinstance(saved, torch.Tensor) and saved.numel() == 1):
            raise Unfit(f"the {name} has {saved!r:.40} in the place of a number")
    elif isinstance(own, Mapping) and FORM in own:
        if isinstance(saved, Mapping) and saved.get(FORM, own[FORM]) != own[FORM]:  # earlier versions saved it plainly
            raise Unfit(f"the {name} has other parts")
    elif isinstance(own, Mapping):
        if not isinstance(saved, Mapping) or not own.keys() <= saved.keys():
            raise Unfit(f"the {name} has other parts")
        for key, value in own.items():
            _check_form(name, saved[key], value)
    elif isinstance(own, (list, tuple)):
        if not isinstance(saved, (list, tuple)) or len(saved) != len(own):
            raise Unfit(f"the {name} has other parts")
        for its, value in zip(saved, own, strict=True):
            _check_form(name, its, value)


def _some(names: Any) -> str:
    return f"{sorted(map(str, names))[0]!r:.60}"
