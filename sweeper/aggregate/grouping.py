"""Groups runs into tasks: what determines a result but optimizer and seed, and the content of the data.

Arms that a sweep compared are one task, in whatever they differ but the images that judge them.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sweeper.aggregate.labels import BY_ARM, differing, task_labels, texts
from sweeper.aggregate.task_config import Config, task_configs
from sweeper.runs.rows import Run
from sweeper.system.text import printable

# What images judge a run: arms that differ in them aren't compared.
JUDGED_BY = tuple(f"dataset.{name}" for name in ("name", "loader", "test_limit", "test_fraction", "image_size"))

_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?)")


@dataclass
class TaskRuns:
    """The runs of one task.

    Attributes:
        config: what determines the task, see `task_config`, and the content of its `data`.
        runs: by their configuration, as JSON.
        arms: the name of each configuration that is in an arm; the last one of several.
        tuned: at which length settings of each optimizer were chosen by validation images, e.g. `100 epochs`; "" if
            some weren't.
        named_elsewhere: the arms whose runs would be in this task if no sweep had named them.
    """

    label: str
    config: Config
    runs: dict[str, list[Run]]
    arms: dict[str, str]
    tuned: str = ""
    named_elsewhere: list[str] = field(default_factory=list)


def group_runs(runs: Iterable[Run]) -> list[TaskRuns]:
    """The tasks of all runs that can be read, ordered by data set, model, noise, epochs and label, numbers by size.

    Data sets with the same name but different content are different tasks.
    """
    readable = [run for run in runs if run.configuration]
    configs = {text: json.loads(text) for text in dict.fromkeys(run.configuration for run in readable)}
    named = _last_arms(readable)
    plain_of = task_configs(configs)
    config_of = _by_arm(plain_of, {text: comparison for text, (comparison, _) in named.items()})
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
        arms = {text: arm for text in group if (arm := named.get(text, (None, ""))[1])}
        own = plain_of[next(iter(group))]
        elsewhere = [] if arms else [arm for text, (_, arm) in named.items() if arm and plain_of[text] == own]
        found.append(TaskRuns("", config, group, arms, named_elsewhere=sorted(set(elsewhere))))
    for task, label in zip(found, task_labels([task.config for task in found]), strict=True):
        task.tuned = _tuned(task)
        task.label = f"{label}, tuned at {task.tuned}" if task.tuned else label
    return sorted(found, key=_order)


def _last_arms(runs: Iterable[Run]) -> dict[str, tuple[tuple[int, str], str]]:
    """The last comparison that each configuration was in, of any of its seeds, and the name of its arm there if any.

    Comparisons that have a configuration in common, such as the same arms with other seeds, count as the last of them.
    """
    seen: dict[str, set[tuple[tuple[int, str], str]]] = {}
    for run in runs:
        if run.comparison is not None:
            seen.setdefault(run.configuration, set()).add((run.comparison, run.arm or ""))
    whole = {comparison: comparison for found in seen.values() for comparison, _ in found}
    for found in seen.values():
        joined = {whole[comparison] for comparison, _ in found}
        if len(joined) > 1:
            whole = {one: max(joined) if last in joined else last for one, last in whole.items()}
    return {text: (whole[max(found)[0]], max(found)[1]) for text, found in seen.items()}


def _by_arm(config_of: dict[str, Config], comparison_of: dict[str, Any]) -> dict[str, Config]:
    """The same, with `BY_ARM` in place of what differs between the arms of a comparison."""
    members: dict[Any, list[str]] = {}
    for text, comparison in comparison_of.items():
        members.setdefault(comparison, []).append(text)
    found = dict(config_of)
    for group in members.values():
        names = [n for n in differing([texts(config_of[text]) for text in group]) if n not in JUDGED_BY]
        for text in group:
            found[text] = _without(config_of[text], names)
    return found


def _without(config: Config, names: Iterable[str]) -> Config:
    """The configuration with `BY_ARM` for the options of these names, and for the whole of a group that is compared."""
    found = {key: dict(value) if isinstance(value, dict) else value for key, value in config.items()}
    for name in names:
        group, dot, option = name.partition(".")
        if not dot:
            found[group] = BY_ARM
        elif group in ("model", "schedule", "noise"):
            found[group] = {"name": BY_ARM}
        else:
            found.setdefault(group, {})[option.partition(".")[0]] = BY_ARM
    return found


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
        _by_size(str(task.config["epochs"])),
        _by_size(task.label),
    )


def _by_size(text: str) -> list[tuple[float, str]]:
    """A sort key by which numbers in a text stand in the order of their size."""
    return [(float(part), "") if k % 2 else (0.0, part) for k, part in enumerate(_NUMBER.split(text))]
