"""The part of a study's page that tells how many wrong labels a network has learnt, and what that costs it."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

from cells import table

from sweeper.aggregate.tasks import Task
from sweeper.runs.layout import METRICS_FILE
from sweeper.runs.metrics import read_metrics
from sweeper.runs.status import Status


def describe_wrong_labels(tasks: Sequence[Task]) -> str:
    """A table, a setting of each task with wrong labels a row, best first; "" without such a task."""
    rows = []
    for task in tasks:
        rate = task.config["noise"]["rate"]
        for setting in task.compared if rate else ():
            whole = [run for run in setting.runs if run.status is Status.COMPLETED]
            curves = [read_metrics(Path(run.path) / METRICS_FILE)[0] for run in whole]
            learnt = [share for *_, last in curves if (share := last["corrupted_train_accuracy"]) is not None]
            tested = [[row["test_accuracy"] or 0 for row in rows] for rows in curves]
            fallen = [max(accuracies) - accuracies[-1] for accuracies in tested]
            rows.append([f"{100 * rate:g} %", setting.optimizer, _spread(learnt, 1), _spread(fallen, 2)])
    header = ["wrong labels", "optimizer", "of them learnt, %", "best − final epoch, points of test accuracy"]
    return table(header, rows) if rows else ""


def _spread(shares: Sequence[float], digits: int) -> str:
    if not shares:
        return "–"
    around = f" ± {100 * stdev(shares):.{digits}f}" if len(shares) > 1 else ""
    return f"{100 * mean(shares):.{digits}f}{around} (n = {len(shares)})"
