"""Groups runs into tasks: what determines a result but optimizer and seed, and the content of the data.

Arms that a sweep compared are one task, in whatever they differ but the images that judge them. Settings that were
tuned are a task beside those that weren't, where an optimizer has both. So no sweep changes what another one found.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sweeper.aggregate.labels import BY_ARM, differing, task_labels, texts
from sweeper.aggregate.task_config import Config, task_configs
from sweeper.runs.arms import joined, last_names
from sweeper.runs.rows import Run
from sweeper.system.text import printable

# What images judge a run: arms that differ in them aren't compared.
JUDGED_BY = tuple(f"dataset.{name}" for name in ("name", "loader", "test_limit", "test_fraction", "image_size"))
UNKNOWN = "?"  # in place of the images' hash, of runs whose records don't tell it

_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?)")


@dataclass
class TaskRuns:
    """The runs of one task.

    Attributes:
        config: what determines the task, see `task_config`, and the content of its `data`.
        runs: by their configuration, as JSON.
        arms: the name of each configuration that is in an arm; the last one of several.
        tuned: at which length all its settings were chosen by validation images, e.g. `100 epochs`; "" if some weren't.
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

    Data sets with the same name but different content are different tasks. A run that several sweeps asked for
    in other comparisons is in a task of each. What confirms an arm's setting is in its comparisons alone.
    """
    readable = [run for run in runs if run.configuration]
    configs = {text: json.loads(text) for text in dict.fromkeys(run.configuration for run in readable)}
    compared, names = _arms(readable)
    found = []
    for own in compared:
        config_of = _by_arm(task_configs({text: configs[text] for text in own}))
        asked = [run for run in readable if run.configuration in own and (run.comparisons or run.confirms)]
        found += _tasks(asked, config_of, own)
    only_by_arm = {text for arm_of in compared for text in arm_of} - {
        run.configuration for run in readable if run.unnamed and not run.confirms
    }
    unnamed = [
        run
        for run in readable
        if run.configuration in names or (run.unnamed and not (run.confirms and run.configuration in only_by_arm))
    ]
    config_of = task_configs({run.configuration: configs[run.configuration] for run in unnamed})
    for task in _tasks(unnamed, config_of, names):
        found += _by_tuning(task)
    for task, label in zip(found, task_labels([task.config for task in found]), strict=True):
        task.tuned = _tuned(task)
        task.label = f"{label}, tuned at {task.tuned}" if task.tuned else label
    _name_elsewhere(found, task_configs(configs))
    _distinguish(found)
    return sorted(found, key=_order)


def _arms(runs: Iterable[Run]) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The comparisons of arms, each as the arm of its configurations, "" if it lost its name; and the arms of which
    nothing else is in their comparison, whose name is but a name.

    Comparisons that have a configuration in common, such as the same arms with other seeds, are one, see `joined`.
    """
    found: dict[tuple[int, str], dict[str, str]] = {}
    for run in runs:
        for number, arm in run.comparisons.items():
            arm_of = found.setdefault(number, {})
            arm_of[run.configuration] = max(arm, arm_of.get(run.configuration, ""))
    each = [arm_of for _, arm_of in sorted(found.items())]
    compared: list[dict[str, str]] = []
    names: dict[str, str] = {}
    for group in joined(each):
        whole = last_names([each[number] for number in group])
        if len({arm or text for text, arm in whole.items()}) > 1:
            compared.append(whole)
        else:
            names |= whole
    return compared, names


def _tasks(runs: Sequence[Run], config_of: dict[str, Config], names: dict[str, str]) -> list[TaskRuns]:
    """The tasks of runs with these configurations of their tasks, still without labels.

    Args:
        names: the arm of each configuration that is in one, "" if its name was taken.
    """
    key_of = {text: json.dumps(config, sort_keys=True) for text, config in config_of.items()}
    known: dict[str, set[str]] = {}
    for run in runs:
        if "data" in run.conditions:
            known.setdefault(key_of[run.configuration], set()).add(run.conditions["data"])
    by_task: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        key = key_of[run.configuration]
        if len(known.get(key, ())) > 1:
            key += run.conditions.get("data") or UNKNOWN
        by_task.setdefault(key, {}).setdefault(run.configuration, []).append(run)
    found = []
    for group in by_task.values():
        digests = {run.conditions.get("data") or UNKNOWN for same in group.values() for run in same}
        config = plain(config_of[next(iter(group))]) | {"data": ", ".join(sorted(digests))}
        found.append(TaskRuns("", config, group, {text: names[text] for text in group if names.get(text)}))
    return found


def _by_tuning(task: TaskRuns) -> list[TaskRuns]:
    """The task, or several where an optimizer has settings that were tuned and others: a task for those that weren't,
    and one for each length at which settings were tuned. So no tuning changes what was found without it: a run that a
    later sweep calls tuned is so in that sweep's task alone."""
    parts: dict[str, dict[str, list[Run]]] = {}
    for text, runs in task.runs.items():
        for run in runs:
            for length in sorted({*run.tuned, *([""] if run.untuned or not run.tuned else [])}):
                asked = frozenset({length} if length else ())
                as_asked = run if run.tuned == asked else replace(run, tuned=asked)
                parts.setdefault(length, {}).setdefault(text, []).append(as_asked)
    methods = [{task.arms.get(text, _optimizer(runs)) for text, runs in part.items()} for part in parts.values()]
    if sum(map(len, methods)) == len(set().union(*methods)):
        return [task]
    return [
        TaskRuns("", task.config, part, {text: arm for text, arm in task.arms.items() if text in part})
        for part in parts.values()
    ]


def _name_elsewhere(tasks: Sequence[TaskRuns], config_of: dict[str, Config]) -> None:
    """Fill in which arms would be in a task if no sweep had named them."""
    for task in (task for task in tasks if not task.arms and not task.tuned):
        alike = config_of[next(iter(task.runs))]
        missing = {
            arm
            for other in tasks
            for text, arm in other.arms.items()
            if config_of[text] == alike and text not in task.runs
        }
        task.named_elsewhere = sorted(missing)


def _distinguish(tasks: Sequence[TaskRuns]) -> None:
    """Add the arms' names to labels that other tasks have, too: the same arms' runs may be in both. Of arms with the
    same names, which have other settings of their optimizers, add numbers."""
    of_several = Counter(task.label for task in tasks)
    for task in tasks:
        if task.arms and of_several[task.label] > 1:
            task.label += f", arms {', '.join(sorted(set(task.arms.values())))}"
    of_several, seen = Counter(task.label for task in tasks), Counter[str]()
    for task in tasks:
        seen[label := task.label] += 1
        if of_several[label] > 1:
            task.label = f"{label} ({seen[label]})"


def _by_arm(config_of: dict[str, Config]) -> dict[str, Config]:
    """The configurations of arms that are compared, with `BY_ARM` in place of what differs between them."""
    names = [name for name in differing([texts(config) for config in config_of.values()]) if name not in JUDGED_BY]
    return {text: _without(config, names) for text, config in config_of.items()}


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
    found = {length for run in runs for length in run.tuned}
    return printable(", ".join(sorted(map(str, found))))


def _tuned(task: TaskRuns) -> str:
    """At which length all settings of the task were tuned; "" if some weren't, or were at another length."""
    found = {tuned_at(runs) for runs in task.runs.values()}
    return found.pop() if len(found) == 1 else ""


def _optimizer(runs: Sequence[Run]) -> str:
    return str(runs[0].values["optimizer"])


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
