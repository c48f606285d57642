"""Summarizes runs over their seeds: one row per configuration."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sweeper.aggregate.confirmation import confirmation_seeds, is_confirmed, judging_runs
from sweeper.aggregate.estimates import fit
from sweeper.aggregate.grouping import TaskRuns, group_runs
from sweeper.aggregate.statistics import confidence_interval, mean, standard_deviation
from sweeper.runs.identity import PRECISION, is_identity
from sweeper.runs.results import COLUMNS
from sweeper.runs.rows import ARM, ASIDES, Run
from sweeper.runs.status import Status

HEAD = ("dataset", "model", "optimizer", "noise", "noise_rate", "lr", "weight_decay", "epochs", "batch_size")
COUNTS = ("n", "n_diverged", "n_failed", "n_pruned")  # numbers of seeds; only n, the completed, enter statistics
FIGURES = ("final_test_accuracy", "best_test_accuracy")
LISTS = "lists"  # the values that are lists, whole; no column of the file, whose cells are texts
VALIDATION = "final_val_accuracy"  # the figure that ranks tuned settings; no column of the file
STATISTICS = ("mean", "std", "ci95_low", "ci95_high")  # over the seeds; the last two are Student's t interval

Row = dict[str, Any]


@dataclass
class Block:
    """The rows of one task, the highest mean of final accuracies first; where settings are tuned, of validation.

    Attributes:
        adjusted: whether the rows are in the order of the model's estimates instead, since seeds are missing.
    """

    label: str
    rows: list[Row]
    tuned_at: str = ""  # see `TaskRuns.tuned`
    held_out: bool = False  # whether validation images are
    adjusted: bool = False

    @property
    def tuned(self) -> bool:
        """Whether an optimizer or an arm has several settings, all of them judged on held-out images."""
        finished = [row for row in self.rows if row["n"]]
        judged = finished or self.rows
        several = _are_several(judged)
        if not finished:  # an interrupted tuning
            return several and self.held_out
        return several and all(row[f"{VALIDATION}_mean"] is not None for row in finished)


@dataclass
class Summary:
    """The rows of `summary.csv`, a block for each task.

    Attributes:
        differing: the config values outside `HEAD` in which rows with the same choices differ.
    """

    blocks: list[Block]
    differing: list[str]

    @property
    def rows(self) -> list[Row]:
        return [row for block in self.blocks for row in block.rows]

    def columns(self) -> list[str]:
        figures = [f"{figure}_{statistic}" for figure in FIGURES for statistic in STATISTICS]
        return [
            *HEAD,
            *COUNTS,
            *figures,
            *self.differing,  # the dotted names of other values in which rows with the same choices differ
            "mixed",  # conditions outside the identity that differ between the runs, such as the device
            *([ARM] if any(row[ARM] for row in self.rows) else []),
        ]


def summarize(runs: Iterable[Run]) -> Summary:
    """Mean, standard deviation and 95 % interval over the seeds of each configuration, by task.

    `n` is the number of completed runs; only these enter the statistics. Damaged rows have no configuration and are
    left out.
    """
    tasks = group_runs(runs)
    differing = _differing([group[0].values for task in tasks for group in task.runs.values()])
    blocks = []
    for task in tasks:
        seeds = confirmations(task)
        rows = {
            text: summary_row(group, differing, task.arms.get(text), seeds[text]) for text, group in task.runs.items()
        }
        ordered = sorted(rows, key=lambda text: _order(rows[text]))
        held_out = any(group[0].values.get("dataset.validation_fraction") for group in task.runs.values())
        block = Block(task.label, [rows[text] for text in ordered], task.tuned, held_out)
        finished = [text for text in ordered if rows[text]["n"]]
        if block.tuned:
            block.rows.sort(key=_validation_order)
        elif not _are_several([rows[text] for text in finished]):  # of each method one: these are what is compared
            found = fit({text: _finals(task.runs[text]) for text in finished})
            block.adjusted = found.adjusts
            if block.adjusted:
                ordered = [*found.estimates, *(text for text in ordered if text not in found.estimates)]
                block.rows = [rows[text] for text in ordered]
        blocks.append(block)
    return Summary(blocks, differing)


def describe_mixture(runs: Iterable[Run]) -> str:
    """The conditions outside the identity that differ between finished runs; "" if none does.

    E.g. `device: cpu, cuda; torch: 2.14.0, 2.15.0`.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        if run.status.finished:
            for what, value in run.conditions.items():
                dataset = run.values["dataset"] if what == "data" else ""  # digests are compared within a data set
                found.setdefault((what, dataset), set()).add(value)
    return "; ".join(
        f"{what}{' of ' if dataset else ''}{dataset}: {', '.join(sorted(values))}"
        for (what, dataset), values in found.items()
        if len(values) > 1
    )


def confirmations(task: TaskRuns) -> dict[str, frozenset[int]]:
    """For each configuration the seeds by which its optimizer or arm was confirmed."""
    names = {text: (task.arms.get(text), group[0].values["optimizer"]) for text, group in task.runs.items()}
    groups: dict[Any, list[list[Run]]] = {}
    for text, group in task.runs.items():
        groups.setdefault(names[text], []).append(group)
    seeds = {name: confirmation_seeds(found) for name, found in groups.items()}
    return {text: seeds[name] for text, name in names.items()}


def summary_row(
    group: list[Run], differing: Iterable[str] = (), arm: str | None = None, seeds: frozenset[int] = frozenset()
) -> Row:
    """The row of runs of one configuration.

    Args:
        arm: its name if it is in one.
        seeds: those of its optimizer's confirmation, which give its validation accuracy.
    """
    first = group[0].values
    statuses = [run.status for run in group]
    row = {name: first.get(name) for name in (*HEAD, *differing)}
    row |= {"n": statuses.count(Status.COMPLETED), "n_diverged": statuses.count(Status.DIVERGED)}
    row |= {"n_failed": statuses.count(Status.FAILED), "n_pruned": statuses.count(Status.PRUNED)}
    row |= {"mixed": describe_mixture(group) or None, ARM: arm, LISTS: group[0].lists}
    judging = judging_runs(group, seeds)
    # Two that are no columns of the file.
    row["n_judging"] = sum(run.status is Status.COMPLETED for run in judging)
    row["unconfirmed"] = bool(seeds) and not is_confirmed(group, seeds)
    for figure in (*FIGURES, VALIDATION):
        counted = judging if figure == VALIDATION else group
        finals = [run.values.get(figure) for run in counted if run.status is Status.COMPLETED]
        values: list[float] = [] if None in finals else [value for value in finals if value is not None]
        found = (mean(values), standard_deviation(values), *confidence_interval(values))
        row |= {f"{figure}_{s}": None if math.isnan(v) else v for s, v in zip(STATISTICS, found, strict=True)}
    return row


def _differing(rows: list[Row]) -> list[str]:
    """The names of config values that distinguish rows or vary between rows with the same choices.

    A group's value, such as `optimizer.momentum`, is compared only between rows with the same optimizer, since other
    optimizers may not have it.
    """
    kept = (*COLUMNS, *ASIDES, ARM)
    names = sorted({name for row in rows for name in row if name not in kept and is_identity(name)})
    first: dict[tuple[str, Any], Any] = {}
    differing = set()
    for row in rows:
        for name in names:
            group, dot, option = name.partition(".")
            own = bool(dot) and option != "name" and name != PRECISION
            choice = row.get(group, row.get(f"{group}.name")) if own else None
            value = row.get(name)
            value = (isinstance(value, bool), value)
            if first.setdefault((name, choice), value) != value:
                differing.add(name)
    return [name for name in names if name in differing]


def _are_several(rows: list[Row]) -> bool:
    """Whether an optimizer or an arm has several of these rows."""
    return len({(row[ARM], row["optimizer"]) for row in rows}) < len(rows)


def _finals(runs: list[Run]) -> dict[int, float]:
    """The final accuracies of the completed ones, by seed."""
    finals = {r.values["seed"]: r.values["final_test_accuracy"] for r in runs if r.status is Status.COMPLETED}
    return {seed: value for seed, value in finals.items() if value is not None and math.isfinite(value)}


def _validation_order(row: Row) -> tuple[Any, ...]:
    """Of an optimizer that was confirmed the settings that weren't come after: their accuracies flatter."""
    return row["n_diverged"] > 0, row["unconfirmed"], -(row[f"{VALIDATION}_mean"] or 0)


def _order(row: Row) -> tuple[Any, ...]:
    best = row["final_test_accuracy_mean"]
    return (-best if best is not None else 0, row["optimizer"], row["lr"] or 0, str(row))
