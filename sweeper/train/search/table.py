"""The results of a search as one table: each optimizer's best trial by validation accuracy, and its budget."""

import shlex
from typing import TYPE_CHECKING, Any

from sweeper.aggregate.labels import text
from sweeper.config.factors import FACTORS
from sweeper.runs.identity import flat
from sweeper.runs.status import Status
from sweeper.system.command import called
from sweeper.system.paths import as_argument
from sweeper.system.terminal import writing_stdout
from sweeper.system.text import percent
from sweeper.train.search.trials import EPOCHS, STATUS, Trials

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FOUND = ("optimizer", "validation", "lr", "weight decay")  # then the other searched options
BUDGET = ("trials", "completed", "pruned", "diverged", "open", "epochs", "edge")
WORDS = "the best trial of each optimizer by final validation accuracy; test accuracy had no part in it"


def search_table(trials: Trials, outputs: str) -> str:
    """The table as text. `open` trials failed or were stopped, `epochs` are those of all other trials; `edge` names
    options whose best value is in the outermost 5 % of the interval, beyond which a better one may be."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in (*FOUND, *(name.removeprefix("optimizer.") for name in _further(trials)), *BUDGET):
        table.add_column(name, no_wrap=True)
    for optimizer in trials.search.bases:
        table.add_row(*_row(trials, optimizer))
    console = Console(width=100_000, highlight=False)
    with writing_stdout(), console.capture() as captured:
        console.print(table)
    lines = [line.rstrip() for line in captured.get().strip("\n").splitlines()]
    last = trials.inequalities()
    if any(not trial.state.is_finished() for optimizer in trials.search.bases for trial in trials.of(optimizer)):
        last.append("open trials failed or were stopped; the same command goes on with them")
    if any(_completed(trials, optimizer) for optimizer in trials.search.bases):
        command = f"{called('choose')} {shlex.quote(as_argument(outputs))}"
        last.append(f"{command} writes them as YAML, with --write DIR as a preset")
    return "\n".join(["", WORDS, "", *lines, "", *last]).rstrip()


def _row(trials: Trials, optimizer: str) -> list[str]:
    asked = trials.of(optimizer)
    ended = [trial for trial in asked if trial.state.is_finished()]
    statuses = [trial.user_attrs.get(STATUS) for trial in ended]
    counts = [*map(statuses.count, (Status.COMPLETED, Status.PRUNED, Status.DIVERGED)), len(asked) - len(ended)]
    # Two trials of the same values, as choices give them, are one run.
    epochs = {str(_typed(trials, trial)): trial.user_attrs.get(EPOCHS, trial.last_step or 0) for trial in ended}
    found = ["–"] * (3 + len(_further(trials)))
    edges: list[str] = []
    if completed := _completed(trials, optimizer):
        highest = max(trial.value or 0.0 for trial in completed)
        tied = [(_options(trials, optimizer, trial), trial) for trial in completed if trial.value == highest]
        options, best = min(tied, key=lambda entry: _best_first(entry[0]))
        found = [percent(best.value), str(options.get("lr", "–")), str(options.get("weight_decay", "–"))]
        typed = _typed(trials, best)
        found += [typed[name] for name in _further(trials)]
        edges = [f"{d.name} {end}" for d in trials.search.dimensions if (end := d.at_edge(typed[d.name]))]
    return [optimizer, *found, str(len(asked)), *map(str, counts), str(sum(epochs.values())), ", ".join(edges)]


def _further(trials: Trials) -> list[str]:
    """The searched options besides learning rate and weight decay."""
    shown = {*FACTORS, *FACTORS.values()}
    return [dimension.name for dimension in trials.search.dimensions if dimension.name not in shown]


def _completed(trials: Trials, optimizer: str) -> "list[FrozenTrial]":
    return [t for t in trials.of(optimizer) if t.user_attrs.get(STATUS) == Status.COMPLETED and t.value is not None]


def _typed(trials: Trials, trial: "FrozenTrial") -> dict[str, str]:
    return {d.name: d.typed(trial.params[d.name]) for d in trials.search.dimensions}


def _options(trials: Trials, optimizer: str, trial: "FrozenTrial") -> dict[str, Any]:
    """The optimizer's options in the trial's run."""
    options: dict[str, Any] = trials.search.trial(optimizer, _typed(trials, trial))[0].config["optimizer"]
    return options


def _best_first(options: dict[str, Any]) -> tuple[float, str]:
    """A sort key for equally good trials: as in `sweeper.choose`, by learning rate, then by label."""
    label = ", ".join(f"{name} {text(value)}" for name, value in sorted(flat(options)))
    return float(options.get("lr") or 0.0), label
