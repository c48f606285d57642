"""How an optimizer was tuned: every trial, the chosen one, the space, the budget, and what fewer trials would give."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.aggregate.labels import text
from sweeper.aggregate.search import (
    chosen_settings,
    confirmed_accuracies,
    is_done,
    is_pruned,
    searched_accuracy,
    searched_options,
    searched_values,
    tried_settings,
)
from sweeper.aggregate.search_axes import PRODUCT, edges, on_axes
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.tasks import Setting, Task
from sweeper.runs.checks import is_number
from sweeper.system.text import counted

NEAR = 0.005  # half a point
MOST_VALUES = 6  # of an option that are listed; of more only both ends
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
        place: its values on the axes of the grid, see `search_axes`.
        edges: the axes on which it has the `highest` or `lowest` value tried.
        accuracy: on validation images, after the last epoch; of a pruned one the best until it was stopped; 0 of a
            diverged one, as a search counts it.
        ended: `completed`, `pruned` or `diverged`.
        confirmed: whether it was run again with other seeds.
    """

    values: dict[str, Any]
    place: dict[str, Any]
    edges: dict[str, str]
    accuracy: float
    ended: str
    confirmed: bool


@dataclass(frozen=True)
class Tuning:
    """The trials of one optimizer in one search.

    Attributes:
        axes: what was searched over, of what it has.
        epochs: of all its trials together.
        still_open: the number of trials that aren't over.
        confirmed: if its best trials were run again, their accuracies in these runs, the chosen one's first.
        seeds: of these runs.
    """

    optimizer: str
    axes: list[str]
    trials: list[Trial]
    chosen: Trial
    epochs: int
    still_open: int
    confirmed: list[float]
    seeds: list[int]

    @property
    def best(self) -> float:
        """The highest accuracy of all trials; where others chose among the best, not always the chosen one's."""
        return max(trial.accuracy for trial in self.trials if trial.ended == "completed")

    @property
    def near(self) -> list[Trial]:
        """Those that came within half a point of the best, itself included."""
        return [t for t in self.trials if t.ended == "completed" and t.accuracy >= self.best - NEAR - 1e-9]

    @property
    def is_best_unconfirmed(self) -> bool:
        """Whether others were run again and it was not: a trial that was added after the confirmation."""
        best = [t for t in self.trials if t.ended == "completed" and t.accuracy == self.best]
        return bool(self.confirmed) and not any(t.confirmed for t in best)

    @property
    def edges(self) -> dict[str, str]:
        """The chosen one's."""
        return self.chosen.edges

    def expected(self) -> list[float]:
        return expected_best([trial.accuracy for trial in self.trials])


def expected_best(accuracies: Sequence[float]) -> list[float]:
    """The expected highest of 1, 2, …, N of N trials, drawn at random with replacement.

    References: Dodge et al. 2019, arXiv 1909.03004, equation 7.
    """
    ordered = sorted(accuracies)
    total = len(ordered)
    return [
        _add(v * (((k + 1) / total) ** n - (k / total) ** n) for k, v in enumerate(ordered))
        for n in range(1, total + 1)
    ]


def _add(values: Iterable[float]) -> float:
    """As `sum` before Python 3.12, so that each Python writes the same digits."""
    total = 0.0
    for value in values:
        total += value
    return total


def tunings(task: Task) -> list[Tuning]:
    """Of a search: of each optimizer that has completed a trial and has several, sorted by name."""
    names = searched_options(task)
    found = []
    for chosen in chosen_settings(task):
        tried = tried_settings(task, chosen.optimizer)
        done = [setting for setting in tried if is_done(setting)]
        if len(done) > 1:
            again = task.confirmed_by.get(chosen.optimizer, frozenset())
            values = [searched_values(setting, names) for setting in done]
            confirmed = confirmed_accuracies(task, chosen.optimizer)
            runs_again = [setting.label in confirmed for setting in done]
            trials = [
                _trial(*one) for one in zip(done, values, on_axes(values), edges(values), runs_again, strict=True)
            ]
            found.append(
                Tuning(
                    chosen.optimizer,
                    sorted({name for trial in trials for name in trial.place}, key=lambda name: (name != "lr", name)),
                    trials,
                    trials[done.index(chosen)],
                    sum(run.epochs_done for setting in tried for run in setting.runs),
                    len(tried) - len(done),
                    list(confirmed.values()),
                    sorted(again),
                )
            )
    return found


def tuning_rows(found: Iterable[Tuning]) -> list[dict[str, Any]]:
    """The rows of `tuning.csv`: one for each optimizer and number of trials. Accuracies are of the own seeds."""
    return [
        {"optimizer": one.optimizer, "trials": n, "expected_best_val_accuracy": expected}
        | {"best_val_accuracy": one.best, "within_half_point": len(one.near)}
        | {"edge": edge_words(one), "space": space_words(one), "epochs": one.epochs}
        for one in found
        for n, expected in enumerate(one.expected(), 1)
    ]


def describe_tuning(one: Tuning) -> str:
    """The space, the budget, how many trials came near the best, and where the chosen one lies, in a line."""
    near = f"{len(one.near)} within half a point of the best"
    again = f"; {confirmed_words(one)}" if one.confirmed else ""
    return f"{one.optimizer}: {space_words(one)}; {budget_words(one)}; {near}{again}; chosen: {edge_words(one)}"


def confirmed_words(one: Tuning) -> str:
    """What the runs with other seeds said, which chose: `2 run again with seeds 102, 103: 91.20 %, 91.00 %`."""
    said = ", ".join(f"{100 * accuracy:.2f} %" for accuracy in one.confirmed)
    return f"{len(one.confirmed)} run again with seeds {', '.join(map(str, one.seeds))}: {said}"


def map_axes(one: Tuning) -> tuple[str, str]:
    """The axes that span the map."""
    return "lr", PRODUCT if PRODUCT in one.axes else "weight_decay"


def space_words(one: Tuning) -> str:
    """What was tried: `lr 0.03, 0.1, 0.3 × weight_decay 0.0005, 0.005`; of many values both ends."""
    return " × ".join(f"{name} {_tried(one, name)}" for name in one.axes)


def budget_words(one: Tuning) -> str:
    """`9 trials (1 pruned, 1 diverged), 72 epochs`."""
    counts = [(sum(t.ended == ended for t in one.trials), ended) for ended in ("pruned", "diverged")]
    counts.append((one.still_open, "still open"))
    told = ", ".join(f"{count} {ended}" for count, ended in counts if count)
    trials = counted(len(one.trials) + one.still_open, "trial") + f" ({told})" * bool(told)
    return f"{trials}, {counted(one.epochs, 'epoch')}"


def where_words(one: Tuning) -> str:
    """Whether the chosen values lie on the edge of what was tried, beyond which better ones may be."""
    return f"{_edges(one)}, on the edge: extend" if one.edges else "inside the space"


def edge_words(one: Tuning) -> str:
    """The same, and whether others lie there that chance alone may have put behind them."""
    where = where_words(one)
    if one.is_best_unconfirmed:
        return f"{where}; but the best, {100 * one.best:.2f} %, was not run again: confirm again"
    if one.edges:
        return where
    near = [trial.edges for trial in one.near if trial.edges]
    if not near:
        return where
    ends = sorted({f"{name} {end}" for found in near for name, end in found.items()})
    return f"{where}, but {len(near)} within half a point of the best on its edge ({', '.join(ends)})"


def edge_advice(one: Tuning) -> str:
    """What to do about a confirmed choice on the edge, or behind a trial that came later."""
    if one.is_best_unconfirmed:
        came = f"the best trial, {100 * one.best:.2f} %, came after the confirmation"
        return f"{one.optimizer}: {came}; confirm again"
    again = "a grid of experiment=tune is extended by the same command given again; then confirm again"
    return f"{one.optimizer}: the confirmed choice lies on the edge, {_edges(one)}; {again}"


def _edges(one: Tuning) -> str:
    return ", ".join(f"{name} {end}" for name, end in one.edges.items())


def chosen_words(one: Tuning) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in one.chosen.values.items())


def place_words(one: Tuning) -> str:
    """Where the chosen one lies on the map."""
    return ", ".join(f"{name} {_short(one.chosen.place[name])}" for name in map_axes(one))


def _trial(
    setting: Setting, values: dict[str, Any], place: dict[str, Any], edges: dict[str, str], confirmed: bool
) -> Trial:
    if setting.diverged():
        return Trial(values, place, edges, 0.0, "diverged", confirmed)
    if is_pruned(setting):
        best = [run.values.get("best_val_accuracy") or 0.0 for run in setting.runs]
        return Trial(values, place, edges, mean(best), "pruned", confirmed)
    return Trial(values, place, edges, searched_accuracy(setting), "completed", confirmed)


def _tried(one: Tuning, name: str) -> str:
    found = {text(trial.place[name]): trial.place[name] for trial in one.trials if name in trial.place}
    numbers = [value for value in found.values() if is_number(value)]
    if len(numbers) < len(found) or len(found) <= MOST_VALUES:
        ordered = sorted(found.values(), key=lambda value: (not is_number(value), value if is_number(value) else 0))
        return ", ".join(map(_short, ordered))
    return f"{_short(min(numbers))} to {_short(max(numbers))}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else text(value)
