"""What a sweep says at its end, first of all: the answer on each of its tasks, of its own runs."""

from collections.abc import Sequence

from sweeper.aggregate.comparisons import Comparison
from sweeper.aggregate.incomplete import describe_incomplete
from sweeper.aggregate.labels import is_clean
from sweeper.aggregate.limits import near_guessing
from sweeper.aggregate.robustness import Robustness, find_robustness
from sweeper.aggregate.tables import accuracy
from sweeper.aggregate.tasks import Setting, Task
from sweeper.aggregate.verdict import (
    answer_task,
    headline_task,
    how_to_choose,
    is_ablation,
    is_alone,
)


def describe_sweep(tasks: Sequence[Task], in_folder: Sequence[Task], folder: str) -> list[str]:
    """A line for each task, one for each of which the folder's runs say something else, and who is more robust to wrong
    labels; no empty line.

    Args:
        in_folder: the tasks of all runs that lie there.
    """
    if not tasks:
        return ["No run can be read, so there is no verdict."]
    lines = []
    with_more = [_with_more(task, in_folder) for task in tasks]
    for task, words, whole in zip(tasks, answers_of_sweep(tasks, with_more), with_more, strict=True):
        named = f"{task.label}: " * (len(tasks) > 1)
        lines += [f"{named}{said}" for said in (words, *_scatter(task), *near_guessing(task))]
        if whole is not None and (said := headline_task(whole)) != words:
            with_them = f"{named}with the other runs of this task in {folder}: "
            lines += [f"{with_them}{said}", *(f"{with_them}{more}" for more in _scatter(whole))]
    return [*lines, *_robustness(tasks, in_folder, folder)]


def _robustness(tasks: Sequence[Task], in_folder: Sequence[Task], folder: str) -> list[str]:
    """By the sweep's own runs, and by all of the folder where these have more seeds of the sweep's own methods and say
    something else, or the sweep's alone say nothing. A sweep with wrong labels asks for these alone."""
    own = find_robustness(tasks)
    lines = [f"{one.label}: {said}" for one in own for said in _of_losses(one)]
    noisy = [task for task in tasks if not is_clean(task.config["noise"])]
    asked = {run.path for task in noisy or tasks for run in task.runs()}
    for one in find_robustness(in_folder):
        if asked & {run.path for run in one.runs()}:
            mine = next((each for each in own if _is_part(each, one)), None)
            if mine is None or any(_seeds(mine, method) != _seeds(one, method) for method in mine.drops):
                told, label = ([], one.label) if mine is None else (_of_losses(mine), mine.label)
                more = [said for said in _of_losses(one) if said not in told]
                lines += [f"with the other runs in {folder}: {label}: {said}" for said in more]
    return lines


def _is_part(mine: Robustness, whole: Robustness) -> bool:
    """Whether it is of some of the other's methods and runs, or of all. Its label may be shorter: in a folder more may
    set tasks apart."""
    own, others = ({run.path for run in one.noisy.runs()} for one in (mine, whole))
    return mine.drops.keys() <= whole.drops.keys() and own <= others


def _seeds(one: Robustness, method: str) -> tuple[set[int], int]:
    """Those with a loss, and in how many it diverged."""
    return set(one.drops[method]), one.comparison.diverged.get(method, 0)


def _of_losses(one: Robustness) -> list[str]:
    return [one.said(), *_scatter_of(one.comparison)]


def _scatter(task: Task) -> list[str]:
    """That one scatters plainly more, where a difference is claimed; nothing is claimed where settings were chosen."""
    return [] if task.chosen_by else _scatter_of(task.comparison)


def _scatter_of(comparison: Comparison) -> list[str]:
    scatter = comparison.scatter
    if scatter is None or not any(d.excludes_zero for d in comparison.differences):
        return []
    return [f"{scatter.words}, which the intervals don't allow for: the error may be above 5 %."]


def answer_sweep(task: Task) -> str:
    """The answer in a line at a sweep's end: who leads, too. Where settings are tuned, the best by validation."""
    if task.chosen_by == "validation":
        said = [f"{s.label} with {accuracy(s.row, 'final_val_accuracy')}" for s in task.compared if s.final()]
        said += filter(None, [describe_incomplete(task)])
        return f"Best by validation accuracy: {'; '.join(said)}." if task.comparison.methods else answer_task(task)
    return headline_task(task)


def answers_of_sweep(tasks: Sequence[Task], with_more: Sequence[Task | None] = ()) -> list[str]:
    """The answer on each task. Where the settings of one optimizer are all that differs, or an arm is alone, the last
    says what to do.

    Args:
        with_more: for each task the one of the folder that says more, in which an arm isn't alone.
    """
    answers = [answer_sweep(task) for task in tasks]
    for k in [k for k, task in enumerate(tasks) if is_ablation(task)][-1:]:
        answers[k] = f"{answers[k]} {how_to_choose(tasks[k])}"
    compared = {k for k, whole in enumerate(with_more) if whole is not None and not is_alone(whole)}
    for k in [k for k, task in enumerate(tasks) if task.has_arms and is_alone(task) and k not in compared][-1:]:
        answers[k] = f"{answers[k]} To compare it with arms that are there, give one of them beside it, by its name."
    return answers


def _with_more(task: Task, in_folder: Sequence[Task]) -> Task | None:
    """The folder's task in which the sweep's own settings have other seeds, too, or the only one has others beside it.

    Where settings would have to be chosen there, the task that has no verdict for that: a page that has none beside an
    answer here would be a riddle.
    """
    own = {setting.optimizer: setting for setting in task.compared}
    nothing_to_compare = len(task.comparison.methods) < 2
    if is_ablation(task):
        return _without_verdict(task, in_folder)
    if not own or task.chosen_by:
        return None
    has_verdict = False
    for whole in in_folder:
        there = {setting.optimizer: setting for setting in whole.compared}
        with_these = all(name in there and _paths(setting) <= _paths(there[name]) for name, setting in own.items())
        if with_these and not whole.chosen_by:  # of other images the same settings are another task
            more = any(there[name].scores().keys() - setting.scores().keys() for name, setting in own.items())
            if more or (nothing_to_compare and len(own) < len(there)):
                return whole
            has_verdict = True
    return None if has_verdict and not nothing_to_compare else _without_verdict(task, in_folder)


def _without_verdict(task: Task, in_folder: Sequence[Task]) -> Task | None:
    """The folder's task of these runs and other optimizers', without a verdict: test accuracy chose settings."""
    runs = {run.path for run in task.runs()}
    beside = [one for one in in_folder if one.chosen_by == "test" and runs <= {run.path for run in one.runs()}]
    return next((one for one in beside if len(one.compared) > 1), None)


def _paths(setting: Setting) -> set[str]:
    return {run.path for run in setting.runs}
