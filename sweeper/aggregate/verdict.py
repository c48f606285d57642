"""The verdict on a task in words."""

from sweeper.aggregate.conclusions import answer, describe_comparison, headline, seeds_note
from sweeper.aggregate.incomplete import describe_incomplete, only_completed, runs_without_result
from sweeper.aggregate.labels import plural, quoted
from sweeper.aggregate.sample_size import describe_seeds
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.tables import accuracy
from sweeper.aggregate.tasks import Setting, Task, epochs_words
from sweeper.runs.status import Status
from sweeper.system.text import counted, listed


def headline_task(task: Task, margin: float | None = None) -> str:
    """`answer_task`; where no interval separates any two, who leads and by how much."""
    words = answer_task(task, margin)
    return headline(task.comparison, margin) if words == answer(task.comparison, margin) else words


def answer_task(task: Task, margin: float | None = None) -> str:
    """The answer in a line."""
    if not task.compared:
        return "No run has completed on this task, so there is no verdict."
    if not task.comparison.methods:
        return "Every finished run on this task diverged, so there is no verdict."
    only = only_completed(task)
    if is_ablation(task):
        name = task.comparison.methods[0]
        count = sum(bool(setting.scores()) for setting in task.settings if setting.optimizer == name)
        none = f"no verdict between its {count} settings: that would be a choice on test images"
        if only is not None:
            return f"Only {quoted(name)} completed, and there is {none}; {describe_incomplete(task)}."
        return f"There is one {task.noun} only, {name}, and {none}."
    if task.chosen_by == "test":
        return f"No verdict between {plural(task.noun)}: settings were chosen by test accuracy."
    if only is not None:
        values = only.label.removeprefix(only.optimizer).removeprefix(", ")
        told = "; ".join([accuracy(only.row, "final_test_accuracy"), *_own_losses(only), describe_incomplete(task)])
        return f"Only {quoted(only.optimizer)} completed, {f'by {values} ' * bool(values)}with {told}."
    if is_alone(task):
        (only,) = task.compared
        return f"There is one {task.noun} only: {only.label} with {accuracy(only.row, 'final_test_accuracy')}."
    return answer(task.comparison, margin)


def describe_order(task: Task) -> str:
    """What the order, or the verdict where validation images order, goes by where seeds differ; else ""."""
    if not task.comparison.adjusted:
        return ""
    return seeds_note("the verdict goes" if task.chosen_by == "validation" else "order")


def describe_task(task: Task, margin: float | None = None) -> list[str]:
    """The verdict on a task: the answer, why it holds, and what it doesn't show.

    Args:
        margin: of equivalence, as a share of all images; it must have been fixed before the runs.
    """
    said = [answer_task(task, margin)]
    if not task.comparison.methods:
        return said
    if is_ablation(task):
        return [*said, "The one of highest test accuracy stands here, which flatters it.", how_to_choose(task)]
    if task.chosen_by == "test":
        said.append(
            f"Some {plural(task.noun)} were run with several settings and no images were held out for validation, so "
            "the best by test accuracy stands here."
        )
        return [*said, "That flatters whoever was given more settings.", how_to_choose(task)]
    if only_completed(task):
        said.append("No other completed a run, so nothing can be compared.")
    elif len(task.compared) == 1:
        said.append("No other has finished a run, so nothing can be compared.")
        said += [_divergence(setting) for setting in task.compared if setting.diverged()]
    else:
        said += describe_comparison(task.comparison, margin)
        said += describe_seeds(task.comparison, _seconds_of_a_seed(task))
    if task.chosen_by == "validation":
        said.append(f"Of several settings of an {task.noun}, the one of highest validation accuracy stands here.")
    if task.tuned:
        other = "" if task.tuned == epochs_words(task) else f"; here it is trained for {epochs_words(task)}"
        said.append(f"Each {task.noun}'s setting was tuned at {task.tuned}, chosen by validation images{other}.")
    if names := task.arms_differ_in():
        first = task.compared[0].config["optimizer"]
        beside = any(setting.config["optimizer"] != first for setting in task.compared)  # the optimizer or its options
        said.append(f"The arms differ in {listed(names)}{', too' if beside else ''}.")
    return said


def is_alone(task: Task) -> bool:
    """Whether no other optimizer or arm was run."""
    return len(task.compared) == 1 and task.chosen_by != "test" and not runs_without_result(task)


def is_ablation(task: Task) -> bool:
    """Whether only the settings of one optimizer or arm completed, and no images may choose among them."""
    return task.chosen_by == "test" and len(task.comparison.methods) == 1


def how_to_choose(task: Task) -> str:
    own = "each setting as an arm of its own" if task.is_of_arms else "settings as arms"
    return f"Choose by held-out images, dataset.validation_fraction=0.1 or experiment=tune; or compare {own}, by --arm."


def _own_losses(setting: Setting) -> list[str]:
    lost, finished = setting.diverged(), counted(len(setting.scores()), "finished run")
    return [f"it diverged in {lost} of {finished}"] if lost else []


def _divergence(setting: Setting) -> str:
    finished = len(setting.scores())
    lost = "its one finished run" if finished == 1 else f"{setting.diverged()} of {finished} finished runs"
    return f"{setting.label} diverged in {lost}."


def _seconds_of_a_seed(task: Task) -> float | None:
    """The device time of one seed of all that are compared, where runs side by side count their share; None if it isn't
    known of one."""
    of_each = [
        [run.device_seconds for run in setting.runs if run.status is Status.COMPLETED]
        for setting in task.compared
        if setting.optimizer in task.comparison.methods
    ]
    known = [[seconds for seconds in group if seconds is not None] for group in of_each]
    return sum(map(mean, known)) if all(known) else None
