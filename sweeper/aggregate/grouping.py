"""Groups runs into tasks: what determines a result but optimizer and seed, and the content of the data."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sweeper.aggregate.labels import task_labels
from sweeper.aggregate.task_config import Config, task_configs
from sweeper.runs.rows import Run
from sweeper.system.text import printable

_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?)")


@dataclass
class TaskRuns:
    """The runs of one task.

    Attributes:
        config: what determines the task, see `task_config`, and the content of its `data`.
        runs: by their configuration, as JSON.
    """

    label: str
    config: Config
    runs: dict[str, list[Run]]


def group_runs(runs: Iterable[Run]) -> list[TaskRuns]:
    """The tasks of all runs that can be read, ordered by data set, model, noise, epochs and label, numbers by size.

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
        task.label = label
    return sorted(found, key=_order)


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
        _by_size(str(task.config["epochs"])),
        _by_size(task.label),
    )


def _by_size(text: str) -> list[tuple[float, str]]:
    """A sort key by which numbers in a text stand in the order of their size."""
    return [(float(part), "") if k % 2 else (0.0, part) for k, part in enumerate(_NUMBER.split(text))]
