"""Every pair of compared optimizers with its interval: as rows of `pairs.csv`, and as LaTeX."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sweeper.aggregate.comparisons import Comparison, Difference
from sweeper.aggregate.conclusions import describe_difference
from sweeper.aggregate.latex import floating, in_latex, tabular
from sweeper.aggregate.main_table import describe_test
from sweeper.aggregate.points import points
from sweeper.aggregate.tasks import Task, task_title

COLUMNS = [
    "task",
    "first",  # the higher one
    "second",
    "n",  # seeds that both completed
    "difference",  # of accuracies in [0, 1], like all below it
    "standard_error",
    "ci95_low",  # simultaneous, of all pairs of the task together
    "ci95_high",
    "residual_deviation",  # of the task's model
    "df",  # its degrees of freedom
    "excludes_zero",
    "n_diverged_first",  # runs that enter no difference
    "n_diverged_second",
    "verdict",
]


def pair_rows(tasks: Iterable[Task], margin: float | None = None) -> list[dict[str, Any]]:
    """A row for each pair of each task; none of a task whose settings were chosen on the test images."""
    return [
        {"task": task_title(task)} | row
        for task in tasks
        if task.chosen_by != "test"
        for row in rows_of(task.comparison, margin)
    ]


def rows_of(comparison: Comparison, margin: float | None = None) -> list[dict[str, Any]]:
    """A row for each pair, without the task."""
    return [
        {"first": d.a, "second": d.b, "n": d.n}
        | {"difference": _known(d.difference), "standard_error": _known(d.error)}
        | {"ci95_low": _known(d.low), "ci95_high": _known(d.high)}
        | {"residual_deviation": _known(comparison.deviation), "df": comparison.df}
        | {"excludes_zero": d.excludes_zero if d.has_interval else None}
        | {f"n_diverged_{end}": comparison.diverged.get(m, 0) for end, m in (("first", d.a), ("second", d.b))}
        | {"verdict": describe_difference(comparison, d, margin, named=True)}
        for d in comparison.differences
    ]


def pairs_in_latex(tasks: Sequence[Task]) -> str:
    """A float for each task that has pairs; "" if none has."""
    floats: list[str] = []
    for task in tasks:
        pairs = task.comparison.differences if task.chosen_by != "test" else ()
        if pairs:
            rows = [_row(d) for d in pairs]
            header = ["pair", "n", "difference", r"95\,\% interval"]
            caption = (
                f"{in_latex(task_title(task))}: differences of final test accuracy in percentage points, with Tukey's "
                rf"simultaneous 95\,\% intervals~\cite{{tukey1953,kramer1956}} ({in_latex(describe_test(task))}). "
                "Bold: the interval excludes 0."
            )
            lost = [f"{m} in {count}" for m, count in task.comparison.diverged.items()]
            caption += f" Diverged runs, which enter no difference: {in_latex(', '.join(lost))}." if lost else ""
            floats.append(floating(tabular("lrrr", header, rows), caption, f"tab:pairs-{len(floats) + 1}"))
    return "\n\n".join(floats)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _row(d: Difference) -> list[str]:
    difference = in_latex(points(d.difference))
    interval = in_latex(f"{points(d.low)} to {points(d.high)}") if d.has_interval else "--"
    return [
        f"{in_latex(d.a)} -- {in_latex(d.b)}",
        str(d.n),
        rf"\textbf{{{difference}}}" if d.excludes_zero else difference,
        interval,
    ]
