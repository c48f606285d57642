"""The document of `sweeper aggregate --json`: each task's optimizers, pairs and verdict, from what the tables show."""

from collections import Counter
from collections.abc import Sequence
from math import isnan
from typing import Any

from sweeper.aggregate.conclusions import answer
from sweeper.aggregate.pairs import pair_rows, rows_of
from sweeper.aggregate.robustness import Robustness, find_robustness
from sweeper.aggregate.statistics import mean, standard_deviation
from sweeper.aggregate.summary import COUNTS, FIGURES, STATISTICS, VALIDATION, describe_mixture
from sweeper.aggregate.tasks import Setting, Task, task_title
from sweeper.aggregate.verdict import answer_task, headline_task
from sweeper.runs.copies import LeftOut, count
from sweeper.runs.results import Results
from sweeper.runs.rows import Run
from sweeper.runs.status import Status
from sweeper.system.text import printable

_OF_ROW = ("lr", "weight_decay", *COUNTS, *(f"{f}_{s}" for f in (*FIGURES, VALIDATION) for s in STATISTICS), "mixed")


def describe_results(
    results: Results, tasks: Sequence[Task], margin: float | None, written: Sequence[str]
) -> dict[str, Any]:
    """The document; docs/schemas/aggregate.json is its schema. Accuracies and differences are shares, not points.

    Args:
        margin: of equivalence, as a share.
        written: the paths of the tables.
    """
    counts = Counter(run.status.value for run in results.runs)
    unusable = [run.values for run in results.runs if run.status in (Status.FAILED, Status.DAMAGED)]
    return {
        "runs": len(results.runs),
        "counts": dict(sorted(counts.items())),
        "unusable": [{"run": row["run"], "status": row["status"], "error": row.get("error")} for row in unusable],
        "left_out": _describe_left_out(results.left_out),
        "mixed": describe_mixture(results.runs) or None,
        "tasks": [_describe_task(task, margin) for task in tasks],
        "robustness": [_describe_robustness(one, margin) for one in find_robustness(tasks)],
        "written": list(written),
    }


def _describe_left_out(left_out: Sequence[LeftOut]) -> dict[str, Any]:
    numbers = count(left_out)
    repeats = [one for one in left_out if one.is_repeat]
    return {
        "copies": numbers.copies,
        "unfinished": numbers.unfinished,
        "repeats": [{**_describe_end(one.run), "counts": _describe_end(one.counts)} for one in repeats],
    }


def _describe_end(run: Run) -> dict[str, Any]:
    accuracy = run.values.get("final_test_accuracy")
    return {"path": printable(run.path), "status": run.status.value, "final_test_accuracy": accuracy}


def _describe_task(task: Task, margin: float | None) -> dict[str, Any]:
    compared = [*task.compared, *(setting for setting in task.settings if setting not in task.compared)]
    return {
        "task": task_title(task),
        "answer": answer_task(task, margin),
        "headline": headline_task(task, margin),
        "chosen_by": task.chosen_by or None,
        "optimizers": [_describe_setting(task, setting) for setting in compared],
        "pairs": [{k: v for k, v in row.items() if k != "task"} for row in pair_rows([task], margin)],
    }


def _describe_robustness(one: Robustness, margin: float | None) -> dict[str, Any]:
    """What wrong labels cost; the first of a pair loses less, by the difference."""
    return {
        "task": task_title(one.noisy),
        "clean_task": task_title(one.clean),
        "answer": answer(one.comparison, margin),
        "headline": one.headline(margin),
        "drops": [_describe_drops(method, list(one.drops[method].values())) for method in one.methods],
        "pairs": rows_of(one.comparison, margin),
    }


def _describe_drops(method: str, drops: list[float]) -> dict[str, Any]:
    deviation = standard_deviation(drops)
    return {"method": method, "n": len(drops), "mean": mean(drops), "std": None if isnan(deviation) else deviation}


def _describe_setting(task: Task, setting: Setting) -> dict[str, Any]:
    compared = setting in task.compared
    ranks = task.comparison.order.ranks.get(setting.optimizer) if compared and task.ranked else None
    return {
        "label": setting.label,
        "method": setting.optimizer,
        "optimizer": setting.row["optimizer"],
        "arm": setting.arm,
        "compared": compared,
        "ranks": list(ranks) if ranks else None,
        **{column: setting.row[column] for column in _OF_ROW},
    }
