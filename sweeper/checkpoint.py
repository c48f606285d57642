"""What a run needs to go on exactly where it stopped, on any device."""

import logging
from typing import Any

import torch

from sweeper.errors import RunFailed
from sweeper.runs import Damaged, RunDirectory

CHECKPOINT_VERSION = 1

log = logging.getLogger("sweeper")


def save_state(
    run: RunDirectory, parts: dict[str, Any], rows: list[dict[str, Any]], digest: str, epoch: int, step: int
) -> None:
    """Write the checkpoint from which training goes on with step `step` (from 0) of epoch `epoch` (from 1).

    Data order and augmentation are drawn anew from (seed, epoch), so only the layers' own random state is kept.
    """
    state = {
        "version": CHECKPOINT_VERSION,
        "data_digest": digest,
        "epoch": epoch,
        "step": step,
        "rows": rows,
        "random_state": torch.get_rng_state(),
        **{name: part.state_dict() for name, part in parts.items()},
    }
    run.write_checkpoint(state)


def load_state(run: RunDirectory, parts: dict[str, Any], rows: list[dict[str, Any]], digest: str) -> tuple[int, int]:
    """Put the run's checkpoint into `parts` and `rows`; returns (epoch, step) to go on with, (1, 0) without one.

    A checkpoint that isn't whole is left behind with a line in the log: the run begins anew.

    Raises:
        RunFailed: it was made on other data than `digest` tells.
    """
    try:
        state = run.load_checkpoint()
    except Damaged as error:
        log.warning("%s; the run begins anew", error)
        return 1, 0
    if state is None:
        return 1, 0
    if state.get("version") != CHECKPOINT_VERSION:
        log.warning("%s: a checkpoint of another version of sweeper; the run begins anew", run.path)
        return 1, 0
    if state["data_digest"] != digest:
        raise RunFailed(
            f"{run.path}: the data set has changed since this run began; put the old one back or say rerun=true"
        )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    rows.extend(state["rows"])
    torch.set_rng_state(state["random_state"])
    log.info("going on from the checkpoint: epoch %d, step %d", state["epoch"], state["step"])
    return state["epoch"], state["step"]
