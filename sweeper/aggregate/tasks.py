"""Groups runs into tasks, and on each task into the settings of the optimizers that are compared."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sweeper.aggregate.bootstrap import Rank, rank_with_interval
from sweeper.aggregate.comparisons import PairedComparison, compare_paired, holm
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.summary import summarize
from sweeper.aggregate.tables import text
from sweeper.runs.identity import flat
from sweeper.runs.rows import Run
from sweeper.system.text import printable

OF_THE_TASK = ("dataset", "model", "noise", "epochs", "batch_size")
FAILED = float("-inf")  # the score of a diverged run: below every other


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
        return {r.values["seed"]: r.values["final_test_accuracy"] for r in self.runs if _is(r, "completed")}

    def scores(self) -> dict[int, float]:
        """`final()`, and `FAILED` for each diverged run."""
        return self.final() | {r.values["seed"]: FAILED for r in self.runs if _is(r, "diverged")}

    def diverged(self) -> int:
        return sum(_is(run, "diverged") for run in self.runs)


@dataclass
class Pair:
    """Two settings, the better one first; p is corrected by Holm's method over all pairs of the task."""

    a: Setting
    b: Setting
    comparison: PairedComparison
    p: float


@dataclass
class Task:
    """A data set, model, label noise and length of training, within which results may be compared.

    Attributes:
        config: the part of the identity that defines the task.
        settings: all configurations that were run on it, sorted by label.
        compared: one setting for each optimizer that has finished runs, the best first.
        chosen_by: the split by which an optimizer's setting was chosen among several, `validation` or `test`; "" if no
            optimizer has several.
        ranks: the ranks of `compared`, in its order, over `rank_seeds`; empty if no seed was finished by all of them.
        pairs: the pairs of `compared`.
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
        """The target that all finished runs of `compared` had from the start; None if there is none."""
        finished = [r for s in self.compared for r in s.runs if _is(r, "completed", "diverged")]
        targets = {run.values.get("target_accuracy") for run in finished}
        return targets.pop() if len(targets) == 1 else None


def group_tasks(runs: Iterable[Run]) -> list[Task]:
    """The tasks of all readable runs, sorted by data set, model, noise and its rate."""
    by_task: dict[str, dict[str, list[Run]]] = {}
    configs: dict[str, dict[str, Any]] = {}
    readable = [run for run in runs if run.configuration]
    known: dict[str, set[str]] = {}
    for run in readable:
        configs.setdefault(run.configuration, json.loads(run.configuration))
        if "data" in run.conditions:
            known.setdefault(_task_key(configs[run.configuration]), set()).add(run.conditions["data"])
    for run in readable:
        key = _task_key(configs[run.configuration])
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
        config = {name: settings[0].config.get(name) for name in OF_THE_TASK}
        digests = {run.conditions.get("data") or "?" for setting in settings for run in setting.runs}
        tasks.append(Task("", config | {"data": ", ".join(sorted(digests))}, settings))
    _label_tasks(tasks)
    for task in tasks:
        _label_settings(task.settings)
        task.settings.sort(key=lambda setting: (setting.optimizer, setting.row["lr"] or 0, setting.label))
        _compare(task)
    return sorted(tasks, key=_order)


def is_clean(noise: dict[str, Any]) -> bool:
    """Whether no label is wrong. Human labels have a rate of 0 in the configuration, but aren't clean."""
    return not noise.get("rate") and noise.get("kind") != "human"


def noise_words(noise: dict[str, Any]) -> str:
    """E.g. `20 % symmetric label noise`."""
    if is_clean(noise):
        return "no label noise"
    rate = f"{100 * noise['rate']:g} % " if noise.get("rate") else ""
    return f"{rate}{noise.get('name')} label noise"


def texts(config: dict[str, Any]) -> dict[str, str]:
    """Every value of a configuration as a text, by its dotted name."""
    return {name: text(value) for name, value in flat(config)}


def differing(configs: list[dict[str, str]]) -> list[str]:
    """The names, sorted, that some configurations lack or that have different values."""
    names = sorted({name for config in configs for name in config})
    return [name for name in names if len({config.get(name) for config in configs}) > 1]


def _printable(value: Any) -> Any:
    """A configuration whose texts have no line breaks, since labels are made of them and written into YAML comments."""
    if isinstance(value, dict):
        return {key: _printable(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_printable(v) for v in value]
    return printable(value) if isinstance(value, str) else value


def _is(run: Run, *statuses: str) -> bool:
    return run.values["status"] in statuses


def _task_key(config: dict[str, Any]) -> str:
    return json.dumps([config.get(name) for name in OF_THE_TASK], sort_keys=True)


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
    """The length of training in words: `1 epoch`, `8 epochs`."""
    epochs = task.config["epochs"]
    return f"{epochs} epoch{'s' * (epochs != 1)}"


def task_title(task: Task) -> str:
    """The task's label, with the length of training if the label doesn't contain it."""
    length = f", {epochs_words(task)}"
    return task.label if length in task.label else f"{task.label}{length}"


def _label_tasks(tasks: list[Task]) -> None:
    """Label tasks by data set, model and noise; by the length of training if it differs; and by other values if needed
    to distinguish tasks."""
    alike: dict[str, list[Task]] = {}
    lengths = {task.config["epochs"] for task in tasks}
    for task in tasks:
        dataset, model = task.config["dataset"]["name"], task.config["model"]["name"]
        length = f", {epochs_words(task)}" if len(lengths) > 1 else ""
        task.label = f"{dataset}, {model}, {noise_words(task.config['noise'])}{length}"
        alike.setdefault(task.label, []).append(task)
    for group in alike.values():
        flats = [texts(task.config) for task in group]
        for name in differing(flats):
            if len({task.label for task in group}) == len(group):
                break
            for task, values in zip(group, flats, strict=True):
                task.label += f", {name} {values.get(name, '–')}"


def _label_settings(settings: list[Setting]) -> None:
    alike: dict[str, list[Setting]] = {}
    for setting in settings:
        alike.setdefault(setting.optimizer, []).append(setting)
    for optimizer, group in alike.items():
        flats = [texts({k: v for k, v in setting.config.items() if k not in OF_THE_TASK}) for setting in group]
        names = differing(flats)
        for setting, values in zip(group, flats, strict=True):
            parts = [f"{name.removeprefix('optimizer.')} {values.get(name, '–')}" for name in names]
            setting.label = ", ".join([optimizer, *parts])


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
        if _is(run, "completed")
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
    """A sort key: a setting with a diverged run is below all without."""
    values = [run.values[figure] for run in setting.runs if _is(run, "completed")]
    return not setting.diverged() and bool(values), mean(values) if values else 0.0
