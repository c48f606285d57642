"""What runs show, task by task, as pandas tables and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from sweeper.aggregate.comparisons import Comparison
from sweeper.aggregate.conclusions import answer, describe_difference
from sweeper.aggregate.frame import Folders, folders_of, summary_frame
from sweeper.aggregate.robustness import find_robustness
from sweeper.aggregate.summary import summarize
from sweeper.aggregate.tasks import Task, group_tasks
from sweeper.aggregate.verdict import answer_task, describe_task
from sweeper.runs.results import Results, read_results, read_runs
from sweeper.system.errors import BadInput

if TYPE_CHECKING:
    import pandas

_INTERVALS = {  # columns and their dtypes
    "task": "str",
    "optimizer": "str",
    "other": "str",
    "n": "Int64",
    "difference": "float64",
    "ci95_low": "float64",
    "ci95_high": "float64",
    "better": "bool",
    "conclusion": "str",
}
_GROUPS = {
    "task": "str",
    "optimizer": "str",
    "n": "Int64",
    "n_diverged": "Int64",
    "mean": "float64",
    "group": "object",
    "rank_low": "Int64",
    "rank_high": "Int64",
}


@dataclass(frozen=True, eq=False)
class Findings:
    """What a comparison of runs shows, from `sweeper.compare`. Accuracies and differences are shares in [0, 1].

    Attributes:
        answer: a line for each task, e.g. `muon > {sgd, adamw} > lion`, then a line `robustness, …` for each with wrong
            labels of which the same with right ones is there: who loses less.
        sentences: the verdict of each task, by its label: the answer, why it holds, and what it doesn't show.
        intervals: a row for each pair of a task: the difference `optimizer` - `other` of final test accuracies with its
            simultaneous 95 % interval. `better` says whether `optimizer` is better. There is none for a task whose
            settings were chosen by test accuracy. Where a task is there with right and with wrong labels, rows with
            the task `robustness, …` follow: `optimizer` loses less than `other` by the difference.
        groups: a row for each optimizer of a task, the best first, by the model of the intervals where seeds are
            missing: the mean of final test accuracies, the letters of `group`, and the lowest and highest rank that
            the intervals allow.
        summary: the rows of `summary.csv` with a column `task`.
    """

    answer: str
    sentences: dict[str, list[str]]
    intervals: "pandas.DataFrame"
    groups: "pandas.DataFrame"
    summary: "pandas.DataFrame"

    def __str__(self) -> str:
        several = len(self.sentences) > 1
        texts = [" ".join([f"{label}:"] * several + said[1:]) for label, said in self.sentences.items() if said[1:]]
        tables = [f"{name}:\n{table.to_string(index=False)}" for name, table in self._tables()]
        return "\n\n".join([self.answer, *texts, *tables])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        parts = []
        for label, (first, *below) in self.sentences.items():
            parts.append(f"<h4>{escape(label)}</h4><p><b>{escape(first)}</b> {escape(' '.join(below))}</p>")
        parts += [f"<h5>{name}</h5>{table.to_html(index=False)}" for name, table in self._tables()]
        return "\n".join(parts)

    def _tables(self) -> list[tuple[str, "pandas.DataFrame"]]:
        tables = [("intervals", self.intervals), ("groups", self.groups)]
        return [(name, table) for name, table in tables if len(table)]


def compare(results: "pandas.DataFrame | Folders", margin: float | None = None) -> Findings:
    """See `sweeper.compare`."""
    import pandas

    if not isinstance(results, pandas.DataFrame):
        return _find(read_results(folders_of(results)), margin)
    if "path" not in results.columns:
        raise BadInput("compare: the table has no column path; give it one of sweeper.load_results, or a folder")
    return _find(read_runs(results["path"]), margin)


def _find(results: Results, margin: float | None) -> Findings:
    tasks = group_tasks(results.runs)
    answers = {task.label: answer_task(task, margin) for task in tasks}
    robust = find_robustness(tasks)
    answers |= {one.label: answer(one.comparison, margin) for one in robust}
    lines = [f"{label}: {words}" for label, words in answers.items()] if len(tasks) > 1 else [*answers.values()]
    compared = [(task.label, task.comparison) for task in tasks if task.chosen_by != "test"]
    compared += [(one.label, one.comparison) for one in robust]
    return Findings(
        "\n".join(lines) or "No run can be read, so there is no verdict.",
        {task.label: [*describe_task(task, margin), *_repeats(task, results)] for task in tasks}
        | {one.label: one.describe(margin) for one in robust},
        _table(_INTERVALS, [row for label, found in compared for row in _intervals(label, found, margin)]),
        _table(_GROUPS, [row for task in tasks for row in _groups(task)]),
        summary_frame(summarize(results.runs)),
    )


def _repeats(task: Task, results: Results) -> list[str]:
    said = results.repeats_of(task.runs())
    return [f"{said}."] if said else []


def _intervals(label: str, found: Comparison, margin: float | None) -> list[tuple[Any, ...]]:
    return [
        (
            *(label, d.a, d.b, d.n, d.difference, d.low, d.high),
            found.order.is_better(d.a, d.b),
            describe_difference(found, d, margin, named=True),
        )
        for d in found.differences
    ]


def _groups(task: Task) -> list[tuple[Any, ...]]:
    """Letters and ranks stand only where intervals tell them."""
    order = task.comparison.order
    letters, ranks = (order.letters, order.ranks) if task.ranked else ({}, {})
    return [
        (
            *(task.label, s.optimizer, s.row["n"], s.row["n_diverged"], s.row["final_test_accuracy_mean"]),
            letters.get(s.optimizer),
            *ranks.get(s.optimizer, (None, None)),
        )
        for s in task.compared
    ]


def _table(columns: dict[str, str], rows: Sequence[tuple[Any, ...]]) -> "pandas.DataFrame":
    import pandas

    return pandas.DataFrame(rows, columns=list(columns)).astype(columns)
