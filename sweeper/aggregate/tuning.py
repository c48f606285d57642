"""How an optimizer was tuned: every trial, the chosen one, the space, the budget, and what fewer trials would give."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.aggregate.labels import text
from sweeper.aggregate.search import (
    at_edge,
    chosen_settings,
    is_done,
    is_number,
    is_pruned,
    searched_options,
    searched_values,
    tried_settings,
    validation_accuracy,
)
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.tasks import Setting, Task

NEAR = 0.005  # half a point
MOST_VALUES = 6  # of an option that are listed; of more only both ends
MAP = ("lr", "weight_decay")  # the options that span the map
COLUMNS = [
    "optimizer",
    "trials",  # how many, of those that were made, are drawn at random
    "expected_best_val_accuracy",  # of so many
    "best_val_accuracy",  # of all
    "within_half_point",  # trials that came so near to the best, itself included
    "edge",
    "space",  # what was tried
    "epochs",  # of all trials together
]


@dataclass(frozen=True)
class Trial:
    """A setting that was tried to its end.

    Attributes:
        values: of the searched options.
        accuracy: on validation images, after the last epoch; of a pruned one the best until it was stopped; 0 of a
            diverged one, as a search counts it.
        ended: `completed`, `pruned` or `diverged`.
    """

    values: dict[str, Any]
    accuracy: float
    ended: str


@dataclass(frozen=True)
class Tuning:
    """The trials of one optimizer in one search.

    Attributes:
        options: the searched ones that it has.
        edges: the options whose chosen value is the `highest` or `lowest` tried.
        epochs: of all its trials together.
        still_open: the number of trials that aren't over.
    """

    optimizer: str
    options: list[str]
    trials: list[Trial]
    chosen: Trial
    edges: dict[str, str]
    epochs: int
    still_open: int

    @property
    def near(self) -> int:
        """How many trials came within half a point of the best, itself included."""
        best = max(trial.accuracy for trial in self.trials if trial.ended == "completed")
        return sum(t.ended == "completed" and t.accuracy >= best - NEAR - 1e-9 for t in self.trials)

    def expected(self) -> list[float]:
        return expected_best([trial.accuracy for trial in self.trials])


def expected_best(accuracies: Sequence[float]) -> list[float]:
    """The expected highest of 1, 2, …, N of N trials, drawn at random with replacement.

    References: Dodge et al. 2019, arXiv 1909.03004, equation 7.
    """
    ordered = sorted(accuracies)
    total = len(ordered)
    return [
        sum(v * (((k + 1) / total) ** n - (k / total) ** n) for k, v in enumerate(ordered)) for n in range(1, total + 1)
    ]


def tunings(task: Task) -> list[Tuning]:
    """Of a search: of each optimizer that has completed a trial and has several, sorted by name."""
    names = searched_options(task)
    found = []
    for chosen in chosen_settings(task):
        tried = tried_settings(task, chosen.optimizer)
        done = [setting for setting in tried if is_done(setting)]
        if len(done) > 1:
            options = [name for name in names if any(name in searched_values(s, names) for s in tried)]
            trials = [_trial(setting, options) for setting in done]
            epochs = sum(run.epochs_done for setting in tried for run in setting.runs)
            place = done.index(chosen)
            edges = at_edge(task, chosen, options)
            found.append(
                Tuning(chosen.optimizer, options, trials, trials[place], edges, epochs, len(tried) - len(done))
            )
    return found


def tuning_rows(found: Iterable[Tuning]) -> list[dict[str, Any]]:
    """The rows of `tuning.csv`: one for each optimizer and number of trials."""
    return [
        {"optimizer": one.optimizer, "trials": n, "expected_best_val_accuracy": expected}
        | {"best_val_accuracy": one.chosen.accuracy, "within_half_point": one.near}
        | {"edge": edge_words(one), "space": space_words(one), "epochs": one.epochs}
        for one in found
        for n, expected in enumerate(one.expected(), 1)
    ]


def describe_tuning(one: Tuning) -> str:
    """The space, the budget, how many trials came near the best, and where the chosen one lies, in a line."""
    near = f"{one.near} within half a point of the best"
    return f"{one.optimizer}: {space_words(one)}; {budget_words(one)}; {near}; chosen: {edge_words(one)}"


def space_words(one: Tuning) -> str:
    """What was tried: `lr 0.03, 0.1, 0.3 × weight_decay 0.0005, 0.005`; of many values both ends."""
    return " × ".join(f"{name} {_tried(one, name)}" for name in one.options)


def budget_words(one: Tuning) -> str:
    """`9 trials (1 pruned, 1 diverged), 72 epochs`."""
    counts = [(sum(t.ended == ended for t in one.trials), ended) for ended in ("pruned", "diverged")]
    counts.append((one.still_open, "still open"))
    told = ", ".join(f"{count} {ended}" for count, ended in counts if count)
    return f"{len(one.trials) + one.still_open} trials{f' ({told})' if told else ''}, {one.epochs:,} epochs"


def edge_words(one: Tuning) -> str:
    """Whether the chosen values lie on the edge of what was tried, beyond which better ones may be."""
    if not one.edges:
        return "inside the space"
    return f"{', '.join(f'{name} {end}' for name, end in one.edges.items())}, on the edge: extend"


def chosen_words(one: Tuning) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in one.chosen.values.items())


def _trial(setting: Setting, options: list[str]) -> Trial:
    values = searched_values(setting, options)
    if setting.diverged():
        return Trial(values, 0.0, "diverged")
    if is_pruned(setting):
        best = [run.values.get("best_val_accuracy") or 0.0 for run in setting.runs]
        return Trial(values, mean(best), "pruned")
    return Trial(values, validation_accuracy(setting), "completed")


def _tried(one: Tuning, name: str) -> str:
    found = {text(trial.values[name]): trial.values[name] for trial in one.trials if name in trial.values}
    numbers = [value for value in found.values() if is_number(value)]
    if len(numbers) < len(found) or len(found) <= MOST_VALUES:
        ordered = sorted(found.values(), key=lambda value: (not is_number(value), value if is_number(value) else 0))
        return ", ".join(map(_short, ordered))
    return f"{_short(min(numbers))} to {_short(max(numbers))}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else text(value)
