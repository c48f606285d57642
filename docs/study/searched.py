"""The part of a study's page that tells its search."""

from pathlib import Path

from cells import table

from sweeper.aggregate.search import (
    chosen_settings,
    confirmed_accuracies,
    searched_accuracy,
    searched_options,
    tried_settings,
)
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.tuning import Tuning, tunings
from sweeper.choose.choice import the_search
from sweeper.runs.results import Results

TUNING_FIGURES = {
    "tuning": "Validation accuracy by learning rate and weight decay; a ring marks the choice",
    "expected_best": "Expected best validation accuracy by the number of trials",
}


def describe_search(searched: Results, study: Path) -> str:
    """What was chosen."""
    task = the_search(group_tasks(searched.runs), ["tuning/runs"])
    options = searched_options(task)
    tuned = {one.optimizer: one for one in tunings(task)}
    rows = []
    for chosen in chosen_settings(task):
        values = [f"{chosen.config['optimizer'].get(name, '–')}" for name in options]
        tried = tried_settings(task, chosen.optimizer)
        again = confirmed_accuracies(task, chosen.optimizer)
        found = [f"{100 * searched_accuracy(chosen):.2f}"]
        found += [f"{100 * again[chosen.label]:.2f}" if chosen.label in again else "–"] * bool(task.confirmed_by)
        rows.append([chosen.optimizer, *values, *found, str(len(tried)), *_edges(tuned.get(chosen.optimizer))])
    header = ["optimizer", *options, "validation accuracy, %", *["confirmation's, %"] * bool(task.confirmed_by)]
    header += ["trials", "within half a point of the best at the grid's edge", "at the grid's edge"]
    beyond = "Beyond a value at the grid's edge may lie a better one. " * any(row[-2:] != ["–", "–"] for row in rows)
    parts = [table(header, rows), f"{beyond}Every trial is in [tuning/search.csv](tuning/search.csv)."]
    parts[-1] += " Each one's command stands on [its page](tuning/report.html)."
    there = [name for name in TUNING_FIGURES if (study / "tuning" / "figures" / f"{name}.png").is_file()]
    return "\n\n".join([*parts, *(f"![{TUNING_FIGURES[name]}](tuning/figures/{name}.png)" for name in there)])


def _edges(one: Tuning | None) -> tuple[str, str]:
    """How many lie there within half a point of the best, itself included; and the chosen one's."""
    if one is None:  # a search of a single trial
        return "–", "–"
    near = sum(bool(trial.edges) for trial in one.near)
    return str(near) if near else "–", ", ".join(f"{end} {name}" for name, end in one.edges.items()) or "–"
