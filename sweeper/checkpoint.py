"""What a run needs to go on exactly where it stopped, on any device."""

import logging
from typing import Any

import torch

from sweeper.errors import RunFailed
from sweeper.numerics import EARLIER, facts_of, go_on
from sweeper.runs import CHECKPOINT_FILES, Damaged, RunDirectory

CHECKPOINT_VERSION = 1

# Options of torch's optimizers that say by which code a step is computed; they depend on the device.
IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")

log = logging.getLogger("sweeper")


def save_state(
    run: RunDirectory,
    parts: dict[str, Any],
    rows: list[dict[str, Any]],
    digest: str,
    epoch: int,
    step: int,
    environment: dict[str, Any],
) -> None:
    """Write the checkpoint from which training goes on with step `step` (from 0) of epoch `epoch` (from 1).

    Data order, augmentation and dropout are drawn anew by their keys, so no random state is kept.
    """
    state = {
        "version": CHECKPOINT_VERSION,
        "data_digest": digest,
        "epoch": epoch,
        "step": step,
        "rows": rows,
        "numerics": facts_of(environment),
        EARLIER: environment.get(EARLIER, []),
        **{name: _portable_state(part) for name, part in parts.items()},
    }
    run.write_checkpoint(state)


def load_state(
    run: RunDirectory, parts: dict[str, Any], rows: list[dict[str, Any]], digest: str, environment: dict[str, Any]
) -> tuple[int, int]:
    """Put the run's checkpoint into `parts` and `rows`; returns (epoch, step) to go on with, (1, 0) without one.

    Of a checkpoint that isn't whole the log has a line: the run goes on from the one before it, or begins anew. Another
    line says where it goes on otherwise than it began, which `environment` then tells.

    Raises:
        RunFailed: it was made on other data than `digest` tells.
    """
    state = _load_latest(run)
    if state is None:
        go_on(environment, None)
        return 1, 0
    if state["data_digest"] != digest:
        raise RunFailed(
            f"{run.path}: the data set has changed since this run began; put the old one back or say rerun=true"
        )
    for name, part in parts.items():
        if isinstance(part, torch.optim.Optimizer):
            for group, own in zip(state[name]["param_groups"], part.param_groups, strict=True):
                group.update({key: own[key] for key in IMPLEMENTATION if key in own})
        if name in state:  # a run begun in another precision has no loss scale
            part.load_state_dict(state[name])
        if isinstance(part, torch.optim.Optimizer):
            _lay_like_parameters(part)
    rows.extend(state["rows"])
    log.info("going on from the checkpoint: epoch %d, step %d", state["epoch"], state["step"])
    if (line := go_on(environment, state)) is not None:
        log.warning("%s: %s", run.path, line)
    return state["epoch"], state["step"]


def _load_latest(run: RunDirectory) -> dict[str, Any] | None:
    """The latest checkpoint that can be read. A later one that can't is taken away, so as to replace no whole one."""
    damaged: dict[str, str] = {}
    for name in CHECKPOINT_FILES:
        try:
            state = run.load_checkpoint(name)
        except Damaged as damage:
            damaged[name] = str(damage)
            continue
        if state is not None and state.get("version") != CHECKPOINT_VERSION:
            damaged[name] = f"{run.path / name}: of another version of sweeper"
        elif state is not None:
            for reason in damaged.values():
                log.warning("%s; the run goes on from the one before it", reason)
            run.remove_checkpoints(*damaged)
            return state
    for reason in damaged.values():
        log.warning("%s; the run begins anew", reason)
    return None


def _portable_state(part: Any) -> dict[str, Any]:
    """The part's state with learning rates as numbers: as tensors they belong to one kind of device."""
    state: dict[str, Any] = part.state_dict()
    if isinstance(part, torch.optim.Optimizer):
        state["param_groups"] = [{**group, "lr": float(group["lr"])} for group in state["param_groups"]]
    elif isinstance(part, torch.optim.lr_scheduler.LRScheduler):
        state["_last_lr"] = [float(lr) for lr in state["_last_lr"]]
    return state


def _lay_like_parameters(optimizer: torch.optim.Optimizer) -> None:
    """State from a device with another memory format gets its parameters' own, which fused steps insist on."""
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                state[key] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
