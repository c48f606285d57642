"""What a search found, as one table: each optimizer's best trial by validation accuracy, and how its budget went."""

from typing import TYPE_CHECKING, Any

from sweeper.progress import percent

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from sweeper.search_trials import Trials

HEADER = (
    "optimizer",
    "validation",
    "lr",
    "weight decay",
    "trials",
    "completed",
    "pruned",
    "diverged",
    "epochs",
    "edge",
)
WORDS = "the best trial of each optimizer by final validation accuracy; test accuracy had no part in it"


def search_table(trials: "Trials", outputs: str) -> str:
    """The table as text. `epochs` are all that the optimizer's trials trained; `edge` names options whose best value
    lies in the outer twentieth of its interval, so that a better one may lie beyond."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in HEADER:
        table.add_column(name, no_wrap=True)
    for optimizer in trials.search.bases:
        table.add_row(*_row(trials, optimizer))
    console = Console(width=100_000, highlight=False)
    with console.capture() as captured:
        console.print(table)
    lines = [line.rstrip() for line in captured.get().strip("\n").splitlines()]
    choose = f"python -m sweeper.choose {outputs} writes them as YAML, with --write conf/optimizer as defaults"
    return "\n".join(["", WORDS, "", *lines, "", choose])


def _row(trials: "Trials", optimizer: str) -> list[str]:
    from sweeper.search_trials import STATUS

    all_of_it = trials.of(optimizer)
    counts = {
        status: sum(trial.user_attrs.get(STATUS) == status for trial in all_of_it if trial.state.is_finished())
        for status in ("completed", "pruned", "diverged")
    }
    epochs = sum(trial.last_step or 0 for trial in all_of_it)
    found = ["–", "–", "–"]
    edges: list[str] = []
    completed = [t for t in all_of_it if t.user_attrs.get(STATUS) == "completed" and t.value is not None]
    tied = [t for t in completed if t.value == max(t.value or 0.0 for t in completed)]
    configs = [(_best_first(options := _options(trials, optimizer, t)), options, t) for t in tied]
    if configs:
        _, options, best = min(configs, key=lambda entry: entry[0])
        found = [percent(best.value), str(options.get("lr", "–")), str(options.get("weight_decay", "–"))]
        typed = {d: d.typed(best.params[d.name]) for d in trials.search.dimensions}
        edges = [f"{d.name} {end}" for d, value in typed.items() if (end := d.at_edge(value))]
    return [optimizer, *found, str(len(all_of_it)), *map(str, counts.values()), str(epochs), ", ".join(edges)]


def _options(trials: "Trials", optimizer: str, trial: "FrozenTrial") -> dict[str, Any]:
    """The optimizer's, as the trial's run has them."""
    typed = {d.name: d.typed(trial.params[d.name]) for d in trials.search.dimensions}
    options: dict[str, Any] = trials.search.trial(optimizer, typed)[0].config["optimizer"]
    return options


def _best_first(options: dict[str, Any]) -> tuple[float, str]:
    """Of equally good trials that of the least learning rate, as `sweeper.choose` takes it."""
    return float(options.get("lr") or 0.0), str(options.get("weight_decay"))
