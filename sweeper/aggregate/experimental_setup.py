"""A paragraph "Experimental setup" for a paper, of what the runs recorded, as LaTeX."""

from collections.abc import Iterable, Sequence

from sweeper.aggregate.labels import BY_ARM, text
from sweeper.aggregate.latex import in_latex
from sweeper.aggregate.references import key_of
from sweeper.aggregate.search import searches
from sweeper.aggregate.tasks import Task, epochs_words, task_title
from sweeper.aggregate.tuning import budget_words, space_words, tunings
from sweeper.runs.rows import Run
from sweeper.system.text import counted, listed


def describe_setup(tasks: Sequence[Task], searched: Sequence[Task]) -> str:
    """The paragraph.

    Args:
        tasks: those that the tables show.
        searched: all tasks among which searches may be.
    """
    if not tasks:
        return "% No run has finished yet.\n"
    every = list({run.path: run for task in (*tasks, *searched) for run in task.runs()}.values())
    titles = in_latex("; ".join(map(task_title, tasks)))
    said = [rf"\paragraph{{Experimental setup.}} We compare {_compared(tasks)} on {titles}."]
    unknown = [name for name in _names(tasks) if key_of(name) is None]
    said += [f"% No reference is known for {', '.join(unknown)}."] if unknown else []
    said += [in_latex(sentence) for sentence in (*_recipe(tasks), *_settings(tasks))]
    spaces = [in_latex(sentence) for task in searches(searched) for sentence in _space(task)]
    said += [rf"{spaces[0]}", *spaces[1:]] if spaces else ["% These runs hold no search: say how values were chosen."]
    said += [in_latex(sentence) for sentence in (*_compute(every), *_software(every))]
    return "\n".join(said) + "\n"


def _compared(tasks: Sequence[Task]) -> str:
    """The optimizers with their references, after the arms if there are some."""
    cited = [(name, key_of(name)) for name in _names(tasks)]
    optimizers = listed([in_latex(name) + (rf"~\cite{{{key}}}" if key else "") for name, key in cited] or ["none"])
    arms = sorted({setting.arm for task in tasks for setting in task.compared if setting.arm})
    return f"the arms {in_latex(listed(arms))} of {optimizers}" if arms else optimizers


def _names(tasks: Iterable[Task]) -> list[str]:
    return sorted({setting.row["optimizer"] for task in tasks for setting in task.compared})


def _recipe(tasks: Sequence[Task]) -> list[str]:
    """Seeds, batch size, schedule."""
    of_each = [set(setting.scores()) for task in tasks for setting in task.compared]
    seeds = sorted(set().union(*of_each))
    told = listed(seeds or ["none"])
    told += ", though not every optimizer has each" * any(len(own) < len(seeds) for own in of_each)
    batch = sorted({task.config["batch_size"] for task in tasks}, key=lambda size: (size == BY_ARM, size))
    schedules = sorted({text(task.config["schedule"].get("name")) for task in tasks})
    decayed = {task.config.get("decay_norms_and_biases") for task in tasks}
    said = [
        f"Seeds: {told}; a seed gives every optimizer the same initial weights, data order and augmentation.",
        f"Batch size: {listed(batch)}. Schedule: {', '.join(schedules)}.",
    ]
    if decayed == {False}:
        said.append("Norms and biases are not decayed.")
    elif decayed == {True}:
        said.append("Norms and biases are decayed, too.")
    return said


def _settings(tasks: Sequence[Task]) -> list[str]:
    """Each optimizer's learning rate and weight decay, and on which tasks if they differ."""
    found: dict[str, dict[str, list[str]]] = {}
    for task in tasks:
        for setting in task.compared:
            values = [(words, setting.row[name]) for name, words in (("lr", ""), ("weight_decay", "weight decay "))]
            told = ", ".join(f"{words}{value:.12g}" for words, value in values if value is not None)
            found.setdefault(setting.optimizer, {}).setdefault(told or "its own", []).append(task_title(task))
    parts = []
    for name, on in sorted(found.items()):
        for told, where in on.items():
            parts.append(f"{name} {told}" + (f" ({' and '.join(where)})" if len(on) > 1 else ""))
    return [f"Learning rate and weight decay: {'; '.join(parts)}."] if parts else []


def _space(task: Task) -> list[str]:
    """The space and the budget of a search."""
    fraction = task.config["dataset"].get("validation_fraction")
    held = f"{100 * fraction:g} % of the training images, held out" if fraction else "held-out training images"
    said = [f"Hyperparameters were searched with {epochs_words(task)} a trial and chosen by final accuracy on {held}."]
    parts = [f"{one.optimizer}: {space_words(one)} ({budget_words(one)})" for one in tunings(task)]
    return [*said, f"Tried: {'; '.join(parts)}."] if parts else []


def _compute(runs: Sequence[Run]) -> list[str]:
    """Hours by kind of device, with the devices' names."""
    said = []
    for kind, words in (("cuda", "GPU"), ("mps", "GPU"), ("cpu", "CPU")):
        found = [run for run in runs if run.values.get("device") == kind]
        times = [run.device_seconds for run in found if run.device_seconds is not None]
        names = sorted({run.device_name for run in found if run.device_name})
        on = f" on {listed(names)}" if names else ""
        count = counted(len(times), "run")
        if times:
            said.append(f"{count} took {_hours(sum(times))} {words} hours{on}, evaluation and set-up included.")
        if missing := len(found) - len(times):
            said.append(f"The time of {counted(missing, 'run')}{on} isn't recorded.")
    return said


def _software(runs: Sequence[Run]) -> list[str]:
    versions: dict[str, set[str]] = {}
    for run in runs:
        for name, version in run.versions:
            versions.setdefault(name, set()).add(version)
    precisions = sorted({run.values["precision"] for run in runs if run.values.get("precision")})
    said = [f"Precision: {', '.join(precisions)}."] if precisions else []
    told = [f"{name} {' and '.join(sorted(of))}" for name, of in versions.items()]
    return [*said, f"Software: {', '.join(told)}."] if told else said


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.1f}" if hours >= 1 else f"{hours:.2g}"
