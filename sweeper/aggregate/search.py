"""A search of hyperparameters: the options that were searched, each optimizer's trials and its chosen setting."""

from collections.abc import Iterable
from typing import Any

from sweeper.aggregate.confirmation import is_confirmed, judging_runs
from sweeper.aggregate.labels import differing, texts
from sweeper.aggregate.search_axes import edges
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.tasks import Setting, Task
from sweeper.runs.rows import Run
from sweeper.runs.status import Status

CONFIRMED = "confirmed_val_accuracy"
SEARCH_SEEDS, CONFIRMING_SEEDS = "search_seeds", "confirmation_seeds"


def searches(tasks: Iterable[Task]) -> list[Task]:
    """The tasks of which validation images chose among several settings of an optimizer."""
    return [task for task in tasks if task.chosen_by == "validation"]


def searched_options(task: Task) -> list[str]:
    """The searched options of the optimizers, e.g. `["lr", "weight_decay"]`."""
    configs: dict[str, list[dict[str, str]]] = {}
    for setting in task.settings:
        configs.setdefault(setting.optimizer, []).append(texts(setting.config["optimizer"]))
    return sorted({name for group in configs.values() for name in differing(group)})


def chosen_settings(task: Task) -> list[Setting]:
    """The chosen setting of each optimizer that has completed a trial, sorted by optimizer."""
    return sorted((s for s in task.compared if s.final()), key=lambda setting: setting.optimizer)


def tried_settings(task: Task, optimizer: str) -> list[Setting]:
    """All trials of an optimizer, in the order of their labels."""
    return [setting for setting in task.settings if setting.optimizer == optimizer]


def searched_accuracy(setting: Setting) -> float:
    """The mean final validation accuracy in [0, 1] of a setting's completed runs, of which there is one at least;
    without those of a confirmation, if there are others."""
    own = judging_runs(setting.runs, frozenset())
    return _mean_accuracy(own if any(run.status is Status.COMPLETED for run in own) else setting.runs)


def confirmed_accuracies(task: Task, optimizer: str) -> dict[str, float]:
    """The mean final validation accuracy by a confirmation's seeds alone, for the setting of each label, best first."""
    seeds = task.confirmed_by.get(optimizer, frozenset())
    found = {
        setting.label: _mean_accuracy(judging_runs(setting.runs, seeds))
        for setting in tried_settings(task, optimizer)
        if is_confirmed(setting.runs, seeds) and not setting.diverged()
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def accuracy_columns(setting: Setting) -> dict[str, Any]:
    """The mean final validation accuracy of the search's own runs and of a confirmation's, with the seeds of each.

    They are never averaged: of the best of many the search's own is biased upward.
    """
    done = [run for run in setting.runs if run.status is Status.COMPLETED]
    found: dict[str, Any] = {}
    for names, runs in (
        (("final_val_accuracy", SEARCH_SEEDS), [run for run in done if not run.confirms]),
        ((CONFIRMED, CONFIRMING_SEEDS), [run for run in done if run.confirms]),
    ):
        seeds = " ".join(map(str, sorted(run.values["seed"] for run in runs)))
        found |= dict(zip(names, (_mean_accuracy(runs), seeds) if runs else (None, None), strict=True))
    return found


def is_pruned(setting: Setting) -> bool:
    """Whether a search pruned the setting and no run of it was completed later."""
    return bool(setting.row["n_pruned"]) and not setting.scores()


def is_done(setting: Setting) -> bool:
    """Whether the trial is over: completed, diverged or pruned."""
    return bool(setting.scores()) or is_pruned(setting)


def searched_values(setting: Setting, options: Iterable[str]) -> dict[str, Any]:
    """A setting's values of the searched options that it has."""
    return {name: setting.config["optimizer"][name] for name in options if name in setting.config["optimizer"]}


def at_edge(task: Task, chosen: Setting, options: Iterable[str]) -> dict[str, str]:
    """The axes on which the chosen setting is the `highest` or `lowest` among the optimizer's finished trials."""
    names = list(options)
    done = [setting for setting in tried_settings(task, chosen.optimizer) if is_done(setting)]
    return edges([searched_values(setting, names) for setting in done])[done.index(chosen)]


def _mean_accuracy(runs: Iterable[Run]) -> float:
    return mean([run.values["final_val_accuracy"] for run in runs if run.status is Status.COMPLETED])
