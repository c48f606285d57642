"""What a run needs to go on exactly where it stopped, on any device."""

import copy
import logging
from typing import Any

import torch

from sweeper.engine.checkpoint_form import Signature, Unfit, check_parts, check_progress, check_stepped
from sweeper.engine.numerics import EARLIER, facts_of, go_on
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import CHECKPOINT_FILES, METRICS_FILE
from sweeper.runs.previous import keep_files
from sweeper.runs.record import Damaged
from sweeper.system.errors import RunFailed, first_line

CHECKPOINT_VERSION = 1

# Options of torch's optimizers that say by which code a step is computed; they depend on the device.
IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")

log = logging.getLogger("sweeper")


def save_state(
    run: RunDirectory,
    parts: dict[str, Any],
    rows: list[dict[str, Any]],
    signature: Signature,
    epoch: int,
    step: int,
    environment: dict[str, Any],
) -> None:
    """Write the checkpoint from which training goes on with step `step` (from 0) of epoch `epoch` (from 1).

    Data order, augmentation and dropout are drawn anew by their keys, so no random state is kept.
    """
    state = {
        "version": CHECKPOINT_VERSION,
        "run": signature.run,
        "data_digest": signature.data_digest,
        "epoch": epoch,
        "step": step,
        "rows": rows,
        "numerics": facts_of(environment),
        EARLIER: environment.get(EARLIER, []),
        **{name: _portable_state(part) for name, part in parts.items()},
    }
    run.write_checkpoint(state)


def load_state(
    run: RunDirectory,
    parts: dict[str, Any],
    rows: list[dict[str, Any]],
    signature: Signature,
    environment: dict[str, Any],
) -> tuple[int, int]:
    """Put the run's checkpoint into `parts` and `rows`; returns (epoch, step) to go on with, (1, 0) without one.

    Of a checkpoint that can't be used the log has a line, and it is kept under `previous/`: the run goes on from the
    one before it, or begins anew. Another line says where it goes on otherwise than it began, which `environment` then
    tells.

    Raises:
        RunFailed: it was made on other data than `signature` tells.
    """
    refused: dict[str, str] = {}
    for name in CHECKPOINT_FILES:
        try:
            state = run.load_checkpoint(name)
            if state is None:
                continue
            _check(state, signature)
            if state["data_digest"] != signature.data_digest:
                raise RunFailed(
                    f"{run.path}: the data set has changed since this run began; put the old one back or say rerun=true"
                )
            _put(state, parts)
        except (Damaged, Unfit) as reason:
            refused[name] = str(reason) if isinstance(reason, Damaged) else f"{run.path / name}: {reason}"
            continue
        _tell(run, refused, [], "goes on from the one before it")
        rows.extend(state["rows"])
        log.info("going on from the checkpoint: epoch %d, step %d", state["epoch"], state["step"])
        if (line := go_on(environment, state)) is not None:
            log.warning("%s: %s", run.path, line)
        return state["epoch"], state["step"]
    _tell(run, refused, [METRICS_FILE], "begins anew")
    go_on(environment, None)
    return 1, 0


def _tell(run: RunDirectory, refused: dict[str, str], others: list[str], how: str) -> None:
    """Say why checkpoints weren't used, and keep them elsewhere: where they lie they would replace whole ones."""
    kept = keep_files(run.path, [*refused, *others]) if refused else None
    for reason in refused.values():
        log.warning("%s; it is kept in %s; the run %s", reason, kept, how)


def _check(state: dict[str, Any], signature: Signature) -> None:
    """
    Raises:
        Unfit: it is another run's, or no state that this run can be in.
    """
    if state.get("version") != CHECKPOINT_VERSION:
        raise Unfit("of another version of sweeper")
    other = state.get("run", signature.run)  # older ones don't tell
    if other != signature.run:
        raise Unfit(f"of another run, {other}" if isinstance(other, str) and other.isprintable() else "of another run")
    check_progress(state, signature)


def _put(state: dict[str, Any], parts: dict[str, Any]) -> None:
    """Load a state into `parts`, which stay as they were if it doesn't fit.

    Raises:
        Unfit: a part can't take it.
    """
    own = {name: _portable_state(part) for name, part in parts.items()}
    check_parts(state, own)
    for part in parts.values():
        if isinstance(part, torch.optim.Optimizer) and (stepped := _stepped_state(part)) is not None:
            check_stepped(state["optimizer"]["state"], stepped)
    before = copy.deepcopy(own)
    name = ""
    try:
        for name, part in parts.items():
            if name in state:  # a run begun in another precision has no loss scale
                _load(part, state[name])
    except Exception as error:  # whatever a part of the user's raises
        for name_before, part in parts.items():
            _load(part, before[name_before])
        raise Unfit(f"the {name} can't take its state ({first_line(error)})") from error


def _load(part: Any, state: dict[str, Any]) -> None:
    """
    Raises:
        KeyError: the optimizer would lack an option, of which its next step would fail.
    """
    if not isinstance(part, torch.optim.Optimizer):
        part.load_state_dict(state)
        return
    options = [group.keys() for group in part.param_groups]
    for group, own in zip(state["param_groups"], part.param_groups, strict=True):
        group.update({key: own[key] for key in IMPLEMENTATION if key in own})
    part.load_state_dict(state)
    for needed, group in zip(options, part.param_groups, strict=True):
        if missing := sorted(needed - group.keys()):
            raise KeyError(missing[0])
    _lay_like_parameters(part)


def _stepped_state(optimizer: torch.optim.Optimizer) -> dict[int, Any] | None:
    """What an optimizer of torch's or ours keeps after a step, without memory for it; None where that isn't known."""
    if not type(optimizer).__module__.startswith(("torch.optim.", "sweeper.")):
        return None
    try:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        stand_ins = {id(p): torch.nn.Parameter(torch.empty_like(p, device="meta"), p.requires_grad) for p in parameters}
        twin = copy.deepcopy(optimizer, dict[int, Any](stand_ins))
        for group in twin.param_groups:
            group.update({key: False for key in IMPLEMENTATION if key in group}, lr=float(group["lr"]))
        for parameter in stand_ins.values():
            parameter.grad = torch.empty_like(parameter)
        twin.step()
        stepped: dict[int, Any] = twin.state_dict()["state"]
    except Exception:  # it needs more than that for a step
        return None
    return stepped


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
