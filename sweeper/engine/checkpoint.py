"""Saves and loads what a run needs to resume exactly where it stopped, on any device."""

import copy
import logging
from typing import Any

import torch

from sweeper.engine.checkpoint_form import Signature, Unfit, check_parts, check_progress, check_stepped
from sweeper.engine.device_errors import is_of_device
from sweeper.engine.numerics import facts_of, go_on
from sweeper.engine.state import IMPLEMENTATION, parameters_of, read_state
from sweeper.engine.state import load_state as load_part
from sweeper.runs.directory import RunDirectory
from sweeper.runs.layout import CHECKPOINT_FILES, METRICS_FILE
from sweeper.runs.previous import keep_files
from sweeper.runs.record import EARLIER, Damaged
from sweeper.system.errors import RunFailed, first_line

CHECKPOINT_VERSION = 1

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
    """Write the checkpoint from which training resumes at step `step` (from 0) of epoch `epoch` (from 1).

    Data order, augmentation and dropout are drawn from keyed generators, so no random state is saved.
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
        **{name: read_state(part) for name, part in parts.items()},
    }
    run.write_checkpoint(state)


def load_state(
    run: RunDirectory,
    parts: dict[str, Any],
    rows: list[dict[str, Any]],
    signature: Signature,
    environment: dict[str, Any],
) -> tuple[int, int]:
    """Load the run's checkpoint into `parts` and `rows`; returns the (epoch, step) to resume at, (1, 0) without one.

    A checkpoint that can't be used is reported in the log and kept under `previous/`; the run then resumes from the
    previous one or starts from the beginning. If the run resumes under other conditions than it started with, that is
    reported in the log and recorded in `environment`.

    Raises:
        RunFailed: the checkpoint was made on other data than `signature` names.
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
                    f"{run.path}: the data set has changed since this run began, or this version of sweeper reads it "
                    "otherwise; put the old one back or say rerun=true"
                )
            _put(state, parts)
        except (Damaged, Unfit) as reason:
            refused[name] = str(reason) if isinstance(reason, Damaged) else f"{run.path / name}: {reason}"
            continue
        _tell(run, refused, [], "goes on from the one before it")
        rows.extend(state["rows"])
        log.info("%s: going on from the checkpoint: epoch %d, step %d", run.shown, state["epoch"], state["step"])
        if (line := go_on(environment, state)) is not None:
            log.warning("%s: %s", run.shown, line)
        return state["epoch"], state["step"]
    _tell(run, refused, [METRICS_FILE], "begins anew")
    go_on(environment, None)
    return 1, 0


def begin_anew(run: RunDirectory, environment: dict[str, Any]) -> tuple[int, int]:
    """The (epoch, step) at which a run with `resumable=false` starts, (1, 0). Earlier checkpoints are kept aside."""
    if (kept := keep_files(run.path, CHECKPOINT_FILES)) is not None:
        log.warning("%s: resumable=false: the run begins anew; its checkpoints are kept in %s", run.path, kept)
    go_on(environment, None)
    return 1, 0


def _tell(run: RunDirectory, refused: dict[str, str], others: list[str], how: str) -> None:
    """Report why checkpoints weren't used, and move them away: in place, they would take part in the next rotation."""
    kept = keep_files(run.path, [*refused, *others]) if refused else None
    for reason in refused.values():
        log.warning("%s; it is kept in %s; the run %s", reason, kept, how)


def _check(state: dict[str, Any], signature: Signature) -> None:
    """Raises Unfit if a state doesn't belong to this run, or isn't one that this run can be in."""
    if state.get("version") != CHECKPOINT_VERSION:
        raise Unfit("of another version of sweeper")
    other = state.get("run", signature.run)  # older checkpoints don't name it
    if other != signature.run:
        raise Unfit(f"of another run, {other}" if isinstance(other, str) and other.isprintable() else "of another run")
    check_progress(state, signature)


def _put(state: dict[str, Any], parts: dict[str, Any]) -> None:
    """Load a state into `parts`; if it doesn't fit, they are unchanged.

    Raises:
        Unfit: a part can't load its state.
        Exception: the device has too little memory for it or is lost, of which the checkpoint has no part.
    """
    own = {name: read_state(part) for name, part in parts.items()}
    check_parts(state, own)
    for part in parts.values():
        if isinstance(part, torch.optim.Optimizer) and (stepped := _stepped_state(part)) is not None:
            check_stepped(state["optimizer"]["state"], stepped)
    before = copy.deepcopy(own)
    name = ""
    try:
        for name, part in parts.items():
            if name in state:  # missing if the run started in another precision
                load_part(part, state[name])
    except Exception as error:  # a user's class may raise anything
        if is_of_device(error):
            raise
        for name_before, part in parts.items():
            load_part(part, before[name_before], back=True)
        raise Unfit(f"the {name} can't take its state ({first_line(error)})") from error


def _stepped_state(optimizer: torch.optim.Optimizer) -> dict[int, Any] | None:
    """The state that an optimizer has after a step, on the meta device; None if it can't be determined."""
    if not type(optimizer).__module__.startswith(("torch.optim.", "sweeper.")):
        return None
    try:
        stand_ins = {
            id(p): torch.nn.Parameter(torch.empty_like(p, device="meta"), p.requires_grad)
            for p in parameters_of(optimizer)
        }
        twin = copy.deepcopy(optimizer, dict[int, Any](stand_ins))
        for group in twin.param_groups:
            group.update({key: False for key in IMPLEMENTATION if key in group}, lr=float(group["lr"]))
        for parameter in stand_ins.values():
            parameter.grad = torch.empty_like(parameter)
        twin.step()
        stepped: dict[int, Any] = twin.state_dict()["state"]
    except Exception:  # its step needs real tensors
        return None
    return stepped
