"""The part of a study's page that tells what wrong labels cost each optimizer, and who loses less."""

from pathlib import Path

from cells import shown

from sweeper.aggregate.robustness import find_robustness
from sweeper.aggregate.tasks import Task, group_tasks
from sweeper.report.robustness import losses_pairs_table, losses_table
from sweeper.runs.record import read_run
from sweeper.runs.results import read_results


def describe_robustness(wrong: Task, study: Path) -> str:
    """By the same task with right labels of a study beside this one; "" without one, or without two optimizers in both.

    The answer and what it stands on, a row an optimizer, a row a pair, the other study's commit.
    """
    for other in sorted(path.parent for path in study.parent.glob("*/runs") if path.parent != study):
        for found in find_robustness([*group_tasks(read_results([other / "runs"]).runs), wrong]):
            if found.noisy is wrong:
                commits = {str(read_run(Path(run.path))["environment"]["commit"]) for run in found.clean.runs()}
                said = (
                    f"Right labels: [{other.name}](../{other.name}/README.md), of commit {', '.join(sorted(commits))}."
                )
                answer, *why = found.describe()
                tables = [shown(losses_table(found)), shown(losses_pairs_table(found))]
                return "\n\n".join([f"**{answer}**", " ".join(why), *tables, said])
    return ""
