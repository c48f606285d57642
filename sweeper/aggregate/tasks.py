"""Groups runs into tasks, and on each task into the settings of the optimizers that are compared."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sweeper.aggregate.bootstrap import Rank, rank_with_interval
from sweeper.aggregate.comparisons import PairedComparison, compare_paired, holm
from sweeper.aggregate.labels import length_words, setting_labels, task_labels
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.summary import summarize
from sweeper.aggregate.task_config import task_configs
from sweeper.runs.rows import Run
from sweeper.runs.status import Status
from sweeper.system.text import printable

FAILED = float("-inf")  # the score of a diverged run: below every other, averaged into nothing


@dataclass
class Setting:
    """One configuration over its seeds.

    Attributes:
        label: the optimizer's name and, if it has several settings on the task, the values that distinguish this one.
        row: its row of `summary.csv`.
        config: its identity without the seed.
    """

    label: str
    optimizer: str
    runs: list[Run]
    row: dict[str, Any]
    config: dict[str, Any]

    def final(self) -> dict[int, float]:
        """Final test accuracy of each completed run, by seed."""
        return {r.values["seed"]: r.values["final_test_accuracy"] for r in self.runs if r.status is Status.COMPLETED}

    def scores(self) -> dict[int, float]:
        """`final()`, and `FAILED` for each diverged run."""
        return self.final() | {r.values["seed"]: FAILED for r in self.runs if r.status is Status.DIVERGED}

    def diverged(self) -> int:
        return sum(run.status is Status.DIVERGED for run in self.runs)


@dataclass
class Pair:
    """Two settings, the better one first; p is corrected by Holm's method over all pairs of the task."""

    a: Setting
    b: Setting
    comparison: PairedComparison
    p: float


@dataclass
class Task:
    """What results may be compared within: runs alike in all but optimizer and seed.

    Attributes:
        config: what determines it, see `task_config`, and the content of its `data`.
        settings: all configurations that were run on it, in the order of their labels.
        compared: one setting an optimizer that has finished runs, the best first.
        chosen_by: how the one was chosen where an optimizer has several: `validation` or `test`; "" if none has.
        ranks: of `compared`, in its order, over `rank_seeds`; empty where no seed was finished by all of them.
        pairs: of `compared`.
    """

    label: str
    config: dict[str, Any]
    settings: list[Setting]
    compared: list[Setting] = field(default_factory=list)
    chosen_by: str = ""
    ranks: list[Rank] = field(default_factory=list)
    rank_seeds: list[int] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)

    def runs(self) -> list[Run]:
        return [run for setting in self.settings for run in setting.runs]

    def target(self) -> float | None:
        """The target that all finished runs of `compared` were given before they began; None if there is no such."""
        finished = [r for s in self.compared for r in s.runs if r.status.finished]
        targets = {run.values.get("target_accuracy") for run in finished}
        return targets.pop() if len(targets) == 1 else None


def group_tasks(runs: Iterable[Run]) -> list[Task]:
    """The tasks of all runs that can be read: by all that determines their results but optimizer and seed, see
    `task_config`, and by the content of their data."""
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
        digest = run.conditions.get("data") or "?"
        if len(known.get(key, ())) > 1:  # data sets with the same name but different content are different tasks
            key += digest
        by_task.setdefault(key, {}).setdefault(run.configuration, []).append(run)
    tasks = []
    for group in by_task.values():
        settings = [
            Setting("", r[0].values["optimizer"], r, summarize(r).rows[0], _printable(configs[c]))
            for c, r in group.items()
        ]
        config = _printable(config_of[next(iter(group))])
        digests = {run.conditions.get("data") or "?" for setting in settings for run in setting.runs}
        tasks.append(Task("", config | {"data": ", ".join(sorted(digests))}, settings))
    for task, label in zip(tasks, task_labels([task.config for task in tasks]), strict=True):
        task.label = label
    for task in tasks:
        own = [{k: v for k, v in s.config.items() if task.config.get(k) != v} for s in task.settings]
        labels = setting_labels([setting.optimizer for setting in task.settings], own)
        for setting, label in zip(task.settings, labels, strict=True):
            setting.label = label
        task.settings.sort(key=lambda setting: (setting.optimizer, setting.row["lr"] or 0, setting.label))
        _compare(task)
    return sorted(tasks, key=_order)


def _printable(value: Any) -> Any:
    """A configuration whose texts have no line breaks, since labels are made of them and written into YAML comments."""
    if isinstance(value, dict):
        return {key: _printable(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_printable(v) for v in value]
    return printable(value) if isinstance(value, str) else value


def _order(task: Task) -> tuple[Any, ...]:
    noise = task.config["noise"]
    return (
        task.config["dataset"]["name"],
        task.config["model"]["name"],
        noise["name"],
        noise.get("rate") or 0,
        task.label,
    )


def epochs_words(task: Task) -> str:
    """How long its runs are trained: `1 epoch`, `8 epochs`."""
    return length_words(task.config["epochs"])


def task_title(task: Task) -> str:
    """The task's label, with the length of training if the label doesn't contain it."""
    length = f", {epochs_words(task)}"
    return task.label if length in task.label else f"{task.label}{length}"


def _compare(task: Task) -> None:
    by_optimizer: dict[str, list[Setting]] = {}
    for setting in task.settings:
        if setting.scores():
            by_optimizer.setdefault(setting.optimizer, []).append(setting)
    several = any(sum(bool(setting.final()) for setting in group) > 1 for group in by_optimizer.values())
    validated = all(
        run.values.get("final_val_accuracy") is not None
        for group in by_optimizer.values()
        for setting in group
        for run in setting.runs
        if run.status is Status.COMPLETED
    )
    task.chosen_by = ("validation" if validated else "test") if several else ""
    # The final accuracy, as in the comparison: the best over the epochs favours noisy curves.
    figure = "final_val_accuracy" if validated else "final_test_accuracy"
    compared = [max(group, key=lambda setting: _quality(setting, figure)) for group in by_optimizer.values()]
    compared.sort(key=lambda setting: _quality(setting, "final_test_accuracy"), reverse=True)
    seeds = sorted(set.intersection(*(set(setting.scores()) for setting in compared))) if compared else []
    if seeds:
        ranks = rank_with_interval([[setting.scores()[seed] for seed in seeds] for setting in compared])
        order = sorted(range(len(compared)), key=lambda k: ranks[k].rank)
        compared, ranks = [compared[k] for k in order], [ranks[k] for k in order]
        task.ranks, task.rank_seeds = ranks, seeds
    task.compared = compared
    found = []
    for k, a in enumerate(compared):
        for b in compared[k + 1 :]:
            both = sorted(set(a.final()) & set(b.final()))
            found.append((a, b, compare_paired([a.final()[s] for s in both], [b.final()[s] for s in both])))
    corrected = holm([comparison.p for _, _, comparison in found])
    task.pairs = [Pair(*pair, p) for pair, p in zip(found, corrected, strict=True)]


def _quality(setting: Setting, figure: str) -> tuple[bool, float]:
    """A setting that ever diverged is below all that never did."""
    values = [run.values[figure] for run in setting.runs if run.status is Status.COMPLETED]
    return not setting.diverged() and bool(values), mean(values) if values else 0.0
