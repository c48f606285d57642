"""What became of the optimizers or arms of a task that have no completed run, in words."""

from collections import Counter
from collections.abc import Sequence

from sweeper.aggregate.labels import quoted
from sweeper.aggregate.tasks import Setting, Task
from sweeper.runs.rows import Run
from sweeper.runs.status import Status
from sweeper.system.text import counted, few, listed

MOST = 4  # of those without a completed run, named in an answer
_ITS_ONE = "its one run"
_ENDS = {  # what is said of runs that didn't complete
    Status.DIVERGED: "diverged",
    Status.FAILED: "failed",
    Status.PRUNED: "ended early (pruned)",
    Status.INTERRUPTED: "did not finish",
    Status.RUNNING: "did not finish yet",
}


def only_completed(task: Task) -> Setting | None:
    """The setting of the only optimizer or arm with a completed run, where others were run, too; else None."""
    methods = task.comparison.methods
    return task.setting_of(methods[0]) if len(methods) == 1 and runs_without_result(task) else None


def describe_incomplete(task: Task) -> str:
    """What became of the optimizers or arms without a completed run; "" if each has one."""
    names: dict[str, list[str]] = {}
    for name, runs in runs_without_result(task).items():
        names.setdefault(_ends(runs), []).append(quoted(name))
    return "; ".join(
        f"{alike[0]} {end}" if len(alike) == 1 else f"{_together(alike)} {end.replace(_ITS_ONE, 'one run')} each"
        for end, alike in names.items()
    )


def runs_without_result(task: Task) -> dict[str, list[Run]]:
    """The runs of each optimizer or arm that has no result to compare, by its name."""
    found: dict[str, list[Run]] = {}
    for setting in task.settings:
        if setting.optimizer not in task.comparison.methods:
            found.setdefault(setting.optimizer, []).extend(setting.runs)
    return found


def _together(names: Sequence[str]) -> str:
    return listed(names) if len(names) <= MOST else few(names, MOST)


def _ends(runs: Sequence[Run]) -> str:
    """`diverged in 3 of 3 runs`, `failed in 2 and diverged in 1 of 3 runs`, `failed in its one run`."""
    counts = Counter(_ENDS.get(run.status, "gave no result") for run in runs)
    if len(runs) == 1:
        return f"{next(iter(counts))} in {_ITS_ONE}"
    return f"{listed(f'{end} in {count:,}' for end, count in counts.most_common())} of {counted(len(runs), 'run')}"
