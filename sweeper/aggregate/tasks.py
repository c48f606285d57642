"""A task with the settings that were run on it, one of each optimizer or arm chosen and compared."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sweeper.aggregate.comparisons import Comparison, compare
from sweeper.aggregate.grouping import TaskRuns, group_runs, plain
from sweeper.aggregate.labels import BY_ARM, length_words, method_names, setting_labels, texts
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.summary import summary_row
from sweeper.runs.rows import Run
from sweeper.runs.status import Status

FAILED = float("-inf")  # the score of a diverged run: below every other, averaged into nothing


@dataclass
class Setting:
    """One configuration over its seeds.

    Attributes:
        label: the method's name and, if it has several settings on the task, the values that distinguish this one.
        optimizer: what it is compared as: its arm, or its optimizer without one. `row` has the optimizer itself.
        arm: the name of its arm; None without one.
        row: its row of `summary.csv`.
        config: its identity without the seed.
    """

    label: str
    optimizer: str
    arm: str | None
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
class Task:
    """What results may be compared within: runs alike in all but optimizer and seed, or arms of one sweep.

    Attributes:
        config: see `TaskRuns`.
        settings: all configurations that were run on it, in the order of their labels.
        compared: one setting of each method that has finished runs, the best first.
        chosen_by: how the one was chosen where a method has several: `validation` or `test`; "" if none has.
        comparison: of the final test accuracies of `compared`, by method.
    """

    label: str
    config: dict[str, Any]
    settings: list[Setting]
    compared: list[Setting] = field(default_factory=list)
    chosen_by: str = ""
    comparison: Comparison = field(default_factory=lambda: compare({}))

    @property
    def noun(self) -> str:
        """What is compared: `optimizer` or `arm`."""
        return "arm" if any(setting.arm for setting in self.settings) else "optimizer"

    def arms_differ_in(self) -> list[str]:
        """The options by which arms differ, beside the optimizer and its own options."""
        names = {name for name, value in texts(self.config).items() if value == BY_ARM}
        return sorted(name.removesuffix(".name") for name in names)

    def runs(self) -> list[Run]:
        return [run for setting in self.settings for run in setting.runs]

    def target(self) -> float | None:
        """The target that all finished runs of `compared` were given before they began; None if there is no such."""
        finished = [r for s in self.compared for r in s.runs if r.status.finished]
        targets = {run.values.get("target_accuracy") for run in finished}
        return targets.pop() if len(targets) == 1 else None


def group_tasks(runs: Iterable[Run]) -> list[Task]:
    """The tasks of all runs that can be read, see `group_runs`, with their settings compared."""
    return [_task(found) for found in group_runs(runs)]


def _task(found: TaskRuns) -> Task:
    configs = [plain(json.loads(text)) for text in found.runs]
    own = [{k: v for k, v in config.items() if found.config.get(k) != v} for config in configs]
    optimizers = [runs[0].values["optimizer"] for runs in found.runs.values()]
    arms = [found.arms.get(text) for text in found.runs]
    methods = method_names(arms, optimizers)
    labels = setting_labels(methods, own)
    rows = [summary_row(runs, arm=arm) for runs, arm in zip(found.runs.values(), arms, strict=True)]
    settings = [Setting(*each) for each in zip(labels, methods, arms, found.runs.values(), rows, configs, strict=True)]
    settings.sort(key=lambda setting: (setting.optimizer, setting.row["lr"] or 0, setting.label))
    task = Task(found.label, found.config, settings)
    _compare(task)
    return task


def epochs_words(task: Task) -> str:
    """How long its runs are trained: `1 epoch`, `8 epochs`."""
    return length_words(task.config["epochs"])


def task_title(task: Task) -> str:
    """The task's label, with the length of training if the label doesn't contain it."""
    length = f", {epochs_words(task)}"
    return task.label if length in task.label else f"{task.label}{length}"


def _compare(task: Task) -> None:
    by_method: dict[str, list[Setting]] = {}
    for setting in task.settings:
        if setting.scores():
            by_method.setdefault(setting.optimizer, []).append(setting)
    several = any(sum(bool(setting.final()) for setting in group) > 1 for group in by_method.values())
    validated = all(
        run.values.get("final_val_accuracy") is not None
        for group in by_method.values()
        for setting in group
        for run in setting.runs
        if run.status is Status.COMPLETED
    )
    task.chosen_by = ("validation" if validated else "test") if several else ""
    # The final accuracy, as in the comparison: the best over the epochs favours noisy curves.
    figure = "final_val_accuracy" if validated else "final_test_accuracy"
    chosen = {m: max(group, key=lambda setting: _quality(setting, figure)) for m, group in by_method.items()}
    finals = {method: setting.final() for method, setting in chosen.items()}
    diverged = {method: setting.diverged() for method, setting in chosen.items()}
    task.comparison = compare(finals, diverged, noun=task.noun)
    last = [method for method, values in finals.items() if not values]  # all their runs diverged
    task.compared = [chosen[method] for method in (*task.comparison.methods, *last)]


def _quality(setting: Setting, figure: str) -> tuple[bool, float]:
    """A setting that ever diverged is below all that never did."""
    values = [run.values[figure] for run in setting.runs if run.status is Status.COMPLETED]
    return not setting.diverged() and bool(values), mean(values) if values else 0.0
