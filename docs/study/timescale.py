"""Over how many epochs a setting averages its weights: the part of a study's page that tells it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cells import table

from sweeper.aggregate.tasks import Setting, Task
from sweeper.runs.record import read_run

DECOUPLED = ("adamw", "lion", "muon")  # the weights shrink by lr · weight decay a step


def averaging_steps(optimizer: Mapping[str, Any]) -> float | None:
    """The steps over which weight decay averages the updates, at the schedule's highest rate.

    With decoupled decay the weights are an exponential moving average of the updates over 1 / (lr · weight decay) steps
    (Wang & Aitchison 2024, arXiv 2405.13698). SGD's decay is in the gradient, whose momentum multiplies the rate by
    1 / (1 - momentum).

    Args:
        optimizer: the node of the configuration; of Muon the hidden layers' part.

    Returns:
        None for an optimizer of which no such time is known, such as Adam with its decay in the gradient, and without
        decay.
    """
    decay = optimizer["lr"] * optimizer["weight_decay"]
    if not decay:
        return None
    if optimizer["name"] in DECOUPLED:
        return float(1 / decay)
    return float((1 - optimizer.get("momentum", 0)) / decay) if optimizer["name"] == "sgd" else None


def describe_timescales(task: Task) -> str:
    """A table, an optimizer a row, best first."""
    rows = []
    for setting in task.compared:
        steps = averaging_steps(setting.config["optimizer"])
        product = setting.config["optimizer"]["lr"] * setting.config["optimizer"]["weight_decay"]
        per_epoch = _steps_an_epoch(setting)
        epochs = "–" if steps is None or per_epoch is None else f"{steps / per_epoch:.1f}"
        rows.append([setting.optimizer, f"{product:.2g}", epochs])
    return table(["optimizer", "lr · weight decay", "τ, epochs"], rows)


def describe_equal_averaging(usual: Task, equal: Sequence[Task]) -> str:
    """Which pairs are separated in the usual comparison and not where all average over the same time; "" if none is."""
    apart = _separated(usual)
    joined = [pair for task in equal for pair, still in _separated(task).items() if apart.get(pair) and not still]
    if not joined:
        return ""
    named = "; ".join(sorted(" and ".join(sorted(pair)) for pair in joined))
    return f"Separated in the comparison and not here, so their decay may have made the difference: {named}."


def _separated(task: Task) -> dict[frozenset[str], bool]:
    """Of each pair with an interval whether it excludes 0."""
    return {frozenset((d.a, d.b)): d.excludes_zero for d in task.comparison.differences if d.has_interval}


def _steps_an_epoch(setting: Setting) -> float | None:
    """Of its first run that trained; None if all diverged in their first epoch."""
    result = next((read_run(Path(run.path))["result"] for run in setting.runs if run.epochs_done), None)
    return float(result["steps"] / result["epochs_done"]) if result else None
