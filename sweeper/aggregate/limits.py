"""The limits of all verdicts, in words."""

import math
from collections import Counter
from collections.abc import Sequence

from sweeper.aggregate.grouping import tuned_at
from sweeper.aggregate.labels import BY_ARM, kind_of, quoted, set_apart_by, texts
from sweeper.aggregate.search import tried_settings
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.summary import describe_mixture
from sweeper.aggregate.tasks import Setting, Task
from sweeper.runs.copies import LeftOut, describe_repeats
from sweeper.runs.rows import Run
from sweeper.runs.status import Status
from sweeper.system.text import counted, few, listed

LEARNT = 0.05  # of the way from guessing to no error: who stays below has learnt little


def describe_limits(tasks: Sequence[Task], runs: Sequence[Run], left_out: Sequence[LeftOut] = ()) -> list[str]:
    """The sentences on the limits of the verdict.

    Args:
        left_out: the runs in whose place one of `runs` counts.
    """
    said = []
    counts = Counter(run.status for run in runs)
    if unfinished := counts[Status.RUNNING] + counts[Status.INTERRUPTED]:
        said.append(f"{_runs(unfinished)} not finished and counted in no mean.")
    if bad := counts[Status.FAILED] + counts[Status.DAMAGED]:
        said.append(f"{_runs(bad)} failed or damaged and counted in no mean; see the reasons below.")
    if repeats := describe_repeats(left_out):
        said.append(f"{repeats}.")
    if mixture := describe_mixture(runs):
        said.append(f"These runs were not all made alike ({mixture}), which may move results too.")
    lengths = {(task.config["epochs"], task.config["batch_size"]) for task in tasks}
    apart = ["length or batch size"] if len(lengths) > 1 else []
    apart += [name for name in set_apart_by([task.config for task in tasks]) if name != "batch_size"]
    if apart:
        compared = "as arms alone" if any(task.arms_differ_in() for task in tasks) else "with none"
        said.append(f"Runs of different {listed(apart)} stand as tasks of their own and are compared {compared}.")
    said += dict.fromkeys(sentence for task in tasks for sentence in near_guessing(task))
    said += describe_own_schedules(tasks)
    said += _one_setting(tasks)
    said += dict.fromkeys(sentence for task in tasks for sentence in (*_chosen_by_these(task), *_unequal(task)))
    if _one_data_set(tasks):
        said.append("One data set says nothing about others.")
    if with_intervals := [t for t in tasks if any(not math.isnan(d.low) for d in t.comparison.differences)]:
        said.append(f"The intervals allow for other seeds, not for other test images: {_of_images(with_intervals)}.")
    return said


def _of_images(tasks: Sequence[Task]) -> str:
    """How closely so many test images tell an accuracy, where it is told least closely.

    By the binomial distribution of one network's errors, which is wider than that of a mean over seeds.
    """
    widest = (0.0, 0)
    for setting in (setting for task in tasks for setting in task.compared):
        if not (values := list(setting.final().values())):
            continue
        counts = {run.test_images for run in setting.runs if run.values.get("final_test_accuracy") is not None}
        if not all(counts):  # runs of earlier versions don't tell
            return "where these are few, others could turn the order"
        count, share = min(filter(None, counts)), mean(values)
        widest = max(widest, (1.96 * math.sqrt(share * (1 - share) / count), count))
    width, count = widest
    return f"an accuracy on {counted(count, 'image')} lies within ±{100 * width:.2f} points of that on all such (95 %)"


def near_guessing(task: Task) -> list[str]:
    """That none has learnt much: an order of such is one of noise, and one alone shows little."""
    classes = {run.classes for setting in task.compared for run in setting.runs if run.classes}
    means = {s.optimizer: mean(list(values.values())) for s in task.compared if (values := s.final())}
    if len(classes) != 1 or not means:
        return []
    (count,) = classes
    guess = 1 / count
    if max(means.values()) > guess + LEARNT * (1 - guess):
        return []
    whom = f"No {task.noun} ends" if len(means) > 1 else f"{quoted(*means)} does not end"
    return [f"{whom} far above guessing, which is {100 * guess:.3g} % with {count} classes."]


def _one_data_set(tasks: Sequence[Task]) -> bool:
    """Whether all tasks are of one: by its name, or by the same images under several names."""
    images = {task.images() for task in tasks}
    return len({task.config["dataset"]["name"] for task in tasks}) == 1 or (len(images) == 1 and "" not in images)


def _one_setting(tasks: Sequence[Task]) -> list[str]:
    """Of whom no other setting is known: all, or those that weren't tuned."""
    compared = [(task, setting) for task in tasks for setting in task.compared]
    if not compared or any(len(tried_settings(t, one.optimizer)) > 1 or t.tuned for t, one in compared):
        return []
    untuned = [one.optimizer for _, one in compared if not tuned_at(one.runs)]
    if not untuned:
        return []
    whom = f"Each {kind_of(setting.arm for task in tasks for setting in task.settings)} was run with one setting"
    if len(untuned) < len(compared):
        names = sorted(set(untuned))
        whom = f"{_some(names)} {'was run with one setting' if len(names) == 1 else 'were run with one setting each'}"
    return [f"{whom}: another learning rate or weight decay may turn the order."]


def _chosen_by_these(task: Task) -> list[str]:
    """That the runs that are compared chose the settings too, if they did."""
    if task.chosen_by != "validation" or len(task.compared) < 2:
        return []
    numbers = sorted({len(tried_settings(task, one.optimizer)) for one in task.compared})
    among, whom = (f"{numbers[0]} to {numbers[-1]}", "whoever had more") if len(numbers) > 1 else (numbers[0], "all")
    return [
        f"The runs that are compared chose the settings, too, by validation accuracy, each among {among}: "
        f"that flatters {whom}.",
        "A fair comparison trains the chosen settings with fresh seeds: python -m sweeper.choose writes their preset.",
    ]


def _unequal(task: Task) -> list[str]:
    """That some of what is compared was tuned and some wasn't, that all was but not alike, or that arms have taken runs
    out of the comparison."""
    places: dict[str, list[str]] = {}
    for one in task.compared:
        places.setdefault(tuned_at(one.runs), []).append(one.optimizer)
    tuned = [name for at, names in places.items() if at for name in names]
    said = []
    if len(tuned) == len(task.compared) and len(places) > 1:
        each = (
            f"{_some(sorted(names), 2)} at {at}" for at, names in sorted(places.items(), key=lambda place: place[1])
        )
        said.append(f"Tuned unlike one another: {'; '.join(each)}.")
    elif 0 < len(tuned) < len(task.compared):
        verb, whom = ("was", "it") if len(tuned) == 1 else ("were", "them")
        said.append(f"Only {_some(sorted(tuned))} {verb} tuned, which favours {whom}.")
    if task.named_elsewhere and task.compared:
        names = listed([f"'{name}'" for name in task.named_elsewhere])
        said.append(f"Runs that a sweep named as arms, {names}, are compared as arms alone, not in {task.label}.")
    return said


def describe_own_schedules(tasks: Sequence[Task]) -> list[str]:
    """A sentence for each compared setting that has a schedule of its own; of several tasks once."""
    own = [_own_schedule(task, setting) for task in tasks for setting in task.compared if _has_own(task, setting)]
    return list(dict.fromkeys(own))


def _has_own(task: Task, setting: Setting) -> bool:
    schedule = task.config["schedule"]
    return bool(setting.config.get("schedule") != schedule and schedule != {"name": BY_ARM})


def _own_schedule(task: Task, setting: Setting) -> str:
    schedules = (texts({"schedule": config["schedule"]}) for config in (setting.config, task.config))
    own, others = (values.get("schedule.name", "–") for values in schedules)
    return f"{setting.label} has the schedule that its own YAML brings, {own}; the others have {others}."


def _runs(count: int) -> str:
    return f"{counted(count, 'run')} {'is' if count == 1 else 'are'}"


def _some(names: list[str], most: int = 4) -> str:
    """All of a few; of more the first, and how many more."""
    return listed(names) if len(names) <= most else few(names, most)
