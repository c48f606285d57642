"""The part of a study's page that holds repeated runs against the published ones."""

from collections.abc import Sequence
from pathlib import Path

from cells import table

from sweeper.aggregate.statistics import distance_by_chance
from sweeper.aggregate.tasks import Task
from sweeper.runs.record import read_run
from sweeper.runs.results import read_results
from sweeper.system.errors import BadInput
from sweeper.system.text import counted


def describe_repeats(study: Path, tasks: Sequence[Task]) -> str:
    """Each repeat beside the run that was published first, and how far two draws of the seeds' scatter lie apart."""
    rows, near = [], []
    for run in (run for folder in sorted(study.glob("again/*")) for run in read_results([folder]).runs):
        values = run.values
        of = (run.configuration, values["seed"])
        found = [(t, first) for t in tasks for first in t.runs() if (first.configuration, first.values["seed"]) == of]
        if not found:
            raise BadInput(f"{run.path}: it repeats no run of {study / 'runs'}; take it away")
        task, first = found[0]
        accuracies = [_percent(r.values["final_test_accuracy"]) for r in (first, run)]
        bound = _percent(distance_by_chance([list(setting.final().values()) for setting in task.compared]))
        known = [a for a in accuracies if a is not None]
        difference = known[1] - known[0] if len(known) == 2 else None
        if difference is not None and bound is not None:
            near.append(abs(difference) <= bound)
        words = [str(values[name]) for name in ("optimizer", "noise_rate", "epochs", "seed")]
        words += ["diverged" if a is None else f"{a:.2f}" for a in accuracies]
        words += ["–" if difference is None else f"{difference:+.2f}", "–" if bound is None else f"{bound:.2f}"]
        rows.append(words + [_short(str(read_run(Path(r.path))["environment"]["commit"])) for r in (first, run)])
    header = ["optimizer", "wrong labels", "epochs", "seed", "first, %", "again, %", "difference", "two seeds'"]
    header += ["first's commit", "again's"]
    count = f"{sum(near)} of {counted(len(near), 'repeat')}"
    count = f"As close to the first run as two seeds are in 95 of 100 cases: {count}."
    return "\n\n".join([table(header, rows), count]) if rows else ""


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _short(commit: str) -> str:
    """What is not committed stays marked."""
    return commit[:7] + "-dirty" * commit.endswith("-dirty")
