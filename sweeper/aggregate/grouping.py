"""Groups runs into tasks: what determines a result but optimizer and seed, and the content of the data."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sweeper.aggregate.labels import task_labels
from sweeper.aggregate.task_config import Config, task_configs
from sweeper.runs.rows import Run
from sweeper.system.text import printable


@dataclass
class TaskRuns:
    """The runs of one task.

    Attributes:
        config: what determines the task, see `task_config`, and the content of its `data`.
        runs: by their configuration, as JSON.
        tuned: at which length settings of each optimizer were chosen by validation images, e.g. `100 epochs`; "" if
            some weren't.
    """

    label: str
    config: Config
    runs: dict[str, list[Run]]
    tuned: str = ""


def group_runs(runs: Iterable[Run]) -> list[TaskRuns]:
    """The tasks of all runs that can be read, ordered by data set, model, noise and label.

    Data sets with the same name but different content are different tasks.
    """
    readable = [run for run in runs if run.configuration]
    configs = {text: json.loads(text) for text in dict.fromkeys(run.configuration for run in readable)}
    config_of = task_configs(configs)
    key_of = {text: json.dumps(config, sort_keys=True) for text, config in config_of.items()}
    known: dict[str, set[str]] = {}
    for run in readable:
        if "data" in run.conditions:
            known.setdefault(key_of[run.configuration], set()).add(run.conditions["data"])
    by_task: dict[str, dict[str, list[Run]]] = {}
    for run in readable:
        key = key_of[run.configuration]
        if len(known.get(key, ())) > 1:
            key += run.conditions.get("data") or "?"
        by_task.setdefault(key, {}).setdefault(run.configuration, []).append(run)
    found = []
    for group in by_task.values():
        digests = {run.conditions.get("data") or "?" for same in group.values() for run in same}
        config = plain(config_of[next(iter(group))]) | {"data": ", ".join(sorted(digests))}
        found.append(TaskRuns("", config, group))
    for task, label in zip(found, task_labels([task.config for task in found]), strict=True):
        task.tuned = _tuned(task)
        task.label = f"{label}, tuned at {task.tuned}" if task.tuned else label
    return sorted(found, key=_order)


def tuned_at(runs: Iterable[Run]) -> str:
    """At which length the setting of some runs was chosen by validation images; "" if it wasn't."""
    found = {run.values.get("tuned") for run in runs} - {None}
    return printable(", ".join(sorted(map(str, found))))


def _tuned(task: TaskRuns) -> str:
    by_optimizer: dict[str, set[str]] = {}
    for runs in task.runs.values():
        by_optimizer.setdefault(str(runs[0].values["optimizer"]), set()).add(tuned_at(runs))
    found = [told - {""} for told in by_optimizer.values()]
    return found[0].pop() if all(told == found[0] and len(told) == 1 for told in found) else ""


def plain(value: Any) -> Any:
    """A configuration whose texts have no line breaks, since labels are made of them and written into YAML comments."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return printable(value) if isinstance(value, str) else value


def _order(task: TaskRuns) -> tuple[Any, ...]:
    noise = task.config["noise"]
    return (
        task.config["dataset"]["name"],
        task.config["model"]["name"],
        noise["name"],
        noise.get("rate") or 0,
        task.config["epochs"],
        task.label,
    )
