"""A task with the settings that were run on it, one of each optimizer or arm chosen and compared."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeper.aggregate.comparisons import Comparison, compare
from sweeper.aggregate.confirmation import confirmation_seeds, is_confirmed, judging_runs
from sweeper.aggregate.grouping import TaskRuns, group_runs, plain
from sweeper.aggregate.labels import BY_ARM, kind_of, length_words, method_names, setting_labels, texts
from sweeper.aggregate.search_axes import edges
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.summary import confirmations, summary_row
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
        tuned: at which length the compared settings were chosen by validation images, e.g. `100 epochs`; "" if some
            weren't.
        compared: one setting of each method that has finished runs, the best first.
        chosen_by: how the one was chosen where a method has several: `validation` or `test`; "" if none has.
        named_elsewhere: the arms whose runs would be in this task if no sweep had named them.
        confirmed_by: for each method whose best settings were run again the seeds of these runs, which chose.
        comparison: of the final test accuracies of `compared`, by method.
    """

    label: str
    config: dict[str, Any]
    settings: list[Setting]
    tuned: str = ""
    compared: list[Setting] = field(default_factory=list)
    chosen_by: str = ""
    named_elsewhere: list[str] = field(default_factory=list)
    confirmed_by: dict[str, frozenset[int]] = field(default_factory=dict)
    comparison: Comparison = field(default_factory=lambda: compare({}))

    @property
    def noun(self) -> str:
        """What is compared: `optimizer`, `arm`, or `optimizer or arm` where a sweep named some alone."""
        return kind_of(setting.arm for setting in self.settings)

    @property
    def has_arms(self) -> bool:
        return any(setting.arm for setting in self.settings)

    @property
    def is_of_arms(self) -> bool:
        """Whether all of them are."""
        return self.has_arms and all(setting.arm for setting in self.settings)

    @property
    def ranked(self) -> bool:
        """Whether intervals tell ranks and letters: there is one at least, and no test images chose the settings."""
        return self.chosen_by != "test" and any(d.has_interval for d in self.comparison.differences)

    def arms_differ_in(self) -> list[str]:
        """The options by which arms differ, beside the optimizer and its own options."""
        names = {name for name, value in texts(self.config).items() if value == BY_ARM}
        return sorted(name.removesuffix(".name") for name in names)

    def setting_of(self, method: str) -> Setting | None:
        """The one that is compared; None if the method has none."""
        return next((setting for setting in self.compared if setting.optimizer == method), None)

    def runs(self) -> list[Run]:
        return [run for setting in self.settings for run in setting.runs]

    def images(self) -> str:
        """The hash of the images' content, as rows have it; "" if its records don't hold one."""
        found = {run.conditions.get("data", "") for run in self.runs()} - {""}
        return found.pop() if len(found) == 1 else ""

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
    seeds = confirmations(found)
    rows = [summary_row(runs, arm=found.arms.get(text), seeds=seeds[text]) for text, runs in found.runs.items()]
    settings = [Setting(*each) for each in zip(labels, methods, arms, found.runs.values(), rows, configs, strict=True)]
    settings.sort(key=lambda setting: (setting.optimizer, setting.row["lr"] or 0, setting.label))
    task = Task(found.label, found.config, settings, found.tuned, named_elsewhere=found.named_elsewhere)
    _compare(task)
    return task


def independent(tasks: Sequence[Task]) -> list[Task]:
    """Those of the tasks that have no run in common, for what is counted over tasks. What arms compare comes last."""
    seen: set[str] = set()
    found = []
    for task in sorted(tasks, key=lambda task: task.has_arms):
        paths = {run.path for run in task.runs()}
        if not paths & seen:
            seen |= paths
            found.append(task)
    return [task for task in tasks if any(task is one for one in found)]


def on_all(tasks: Sequence[Task]) -> tuple[list[Task], list[str]]:
    """The tasks that count where methods are compared over several, and the methods, sorted, that are compared in all
    of them. A task whose settings test images chose doesn't count."""
    used = [task for task in independent(tasks) if task.compared and task.chosen_by != "test"]
    names = [{setting.optimizer for setting in task.compared} for task in used]
    return used, sorted(set.intersection(*names)) if names else []


def epochs_words(task: Task) -> str:
    """How long its runs are trained: `1 epoch`, `8 epochs`."""
    return length_words(task.config["epochs"])


def task_title(task: Task) -> str:
    """The task's label, with the length of training if the label doesn't contain it."""
    length = f", {epochs_words(task)}"
    head, at, tuned = task.label.partition(", tuned at ")
    return task.label if length in head else f"{head}{length}{at}{tuned}"


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
    chosen = {}
    for method, group in by_method.items():
        seeds = confirmation_seeds([setting.runs for setting in group]) if validated else frozenset()
        on_edges = edges([setting.config["optimizer"] for setting in group]) if len(group) > 1 else [{}]
        candidates = list(zip(group, on_edges, strict=True))
        if seeds:
            task.confirmed_by[method] = seeds
            candidates = [pair for pair in candidates if is_confirmed(pair[0].runs, seeds)]
        # Of equal ones that on the fewest edges of a grid.
        best = max(candidates, key=lambda pair: (*_quality(pair[0], figure, seeds), -len(pair[1])))
        chosen[method] = best[0]
    finals = {method: setting.final() for method, setting in chosen.items()}
    diverged = {method: setting.diverged() for method, setting in chosen.items()}
    task.comparison = compare(finals, diverged, noun=task.noun)
    last = [method for method, values in finals.items() if not values]  # all their runs diverged
    order = [*task.comparison.methods, *last]
    if task.chosen_by == "validation":
        order.sort(key=lambda m: _quality(chosen[m], figure, task.confirmed_by.get(m, frozenset())), reverse=True)
    task.compared = [chosen[method] for method in order]


def _quality(setting: Setting, figure: str, seeds: frozenset[int]) -> tuple[bool, float]:
    """A setting that ever diverged is below all that never did."""
    values = [run.values[figure] for run in judging_runs(setting.runs, seeds) if run.status is Status.COMPLETED]
    return not setting.diverged() and bool(values), mean(values) if values else 0.0
