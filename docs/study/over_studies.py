"""The part of `docs/study/README.md` that compares the optimizers over all studies that have results."""

from collections.abc import Sequence

from searched import table

from sweeper.aggregate.critical_difference import compare_tasks
from sweeper.aggregate.tasks import Task, task_title
from sweeper.report.tables import across_table


def describe_over_studies(tasks: Sequence[Task]) -> str:
    """Normalized scores over the tasks, and mean ranks where there are enough of them; "" with fewer than two tasks."""
    across, counted = across_table(tasks)
    if not across.rows:
        return ""
    parts = [
        "## Over all studies",
        f"{counted} {'; '.join(map(task_title, tasks))}. On each the worst optimizer's mean is 0, the best one's 1. "
        "The interquartile mean (IQM) is over all runs, and improvement is how often a run beats another optimizer's. "
        "The intervals tell of other seeds on these tasks, not of other tasks.",
        table(across.header, [[cell.text for cell in line.cells] for line in across.rows]),
    ]
    if ranks := compare_tasks(tasks):
        means = ", ".join(f"{name} {rank:.1f}" for name, rank in ranks.ranks.items())
        parts.append(f"Mean ranks: {means}; two that lie within {ranks.critical:.1f} aren't told apart.")
    return "\n\n".join(parts)
