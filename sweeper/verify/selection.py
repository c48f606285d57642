"""Checks how settings were chosen: by validation images, with other seeds than those of the comparison."""

import contextlib
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from sweeper.aggregate.search import chosen_settings, searched_options, searched_values, searches
from sweeper.aggregate.tasks import Setting, Task, group_tasks, task_title
from sweeper.choose.choice import describe_choice
from sweeper.runs.layout import CHOSEN_FILE
from sweeper.runs.results import Results, read_results
from sweeper.system.errors import BadInput
from sweeper.system.files import read_file
from sweeper.system.limits import SETTINGS_BYTES
from sweeper.verify.finding import Finding, note

OTHER_SEEDS = "compare with seeds that no search had, e.g. search 101, compare 1 to 5"


def check_selection(results: Results, outputs: Sequence[str], where: str) -> Iterator[Finding]:
    """What doesn't hold of the choices that the folders' runs and files show."""
    tasks = group_tasks(results.runs)
    found = searches(tasks)
    for task in tasks:
        own = [search for search in found if _tuned_for(search, task)]
        if task.chosen_by == "test":
            several = sorted({s.optimizer for s in task.settings if _count(task, s.optimizer) > 1})
            what = f"{task_title(task)}: {', '.join(several)} with several settings and no validation images"
            if _is_ablation(task, own):
                yield note(f"{what}: an ablation of one optimizer, which the search chose by other images", where)
                continue
            yield Finding(
                f"{what}, so test accuracy chooses", where, "hold images out by dataset.validation_fraction to choose"
            )
        elif not task.config["dataset"].get("validation_fraction"):
            yield from _check_comparison(task, own, where)
    yield note(f"searches: {'; '.join(map(task_title, found)) or 'none'}", where)
    for folder in map(Path, outputs):
        for file in sorted(folder.rglob(CHOSEN_FILE)):
            yield from _check_file(file)


def _count(task: Task, optimizer: str) -> int:
    return sum(setting.optimizer == optimizer and bool(setting.final()) for setting in task.settings)


def _is_ablation(task: Task, found: list[Task]) -> bool:
    """Whether a task has several settings of one optimizer alone, whose values a search has chosen."""
    own = set(map(_optimizer, task.settings))
    return len(own) == 1 and any(own <= set(map(_optimizer, chosen_settings(search))) for search in found)


def _tuned_for(search: Task, task: Task) -> bool:
    """Whether a search is of the same data set and model, whatever its length."""
    return all(search.config[group]["name"] == task.config[group]["name"] for group in ("dataset", "model"))


def _check_comparison(task: Task, found: list[Task], where: str) -> Iterator[Finding]:
    for search in found:
        both = set(map(_optimizer, search.settings)) & set(map(_optimizer, task.settings))
        reused = sorted(_seeds(search, both) & _seeds(task, both))
        if reused:
            told = f"{'seed' if len(reused) == 1 else 'seeds'} {', '.join(map(str, reused))}"
            yield Finding(
                f"{told} served the search ({task_title(search)}) and the comparison ({task_title(task)})",
                where,
                OTHER_SEEDS,
            )
    for setting in task.settings:
        choices = [(search, chosen) for search in found for chosen in chosen_settings(search)]
        choices = [(search, chosen) for search, chosen in choices if _optimizer(chosen) == _optimizer(setting)]
        if choices and not any(_values(s, chosen) == _values(s, setting) for s, chosen in choices):
            search, chosen = choices[0]
            told, chose = (", ".join(f"{k}={v}" for k, v in _values(search, s).items()) for s in (setting, chosen))
            what, path = f"has {told}, the search's validation images chose {chose}", setting.runs[0].path
            beside = [other for other in task.settings if _optimizer(other) == _optimizer(setting)]
            if any(_values(s, c) == _values(s, other) for s, c in choices for other in beside):
                yield note(f"{what}, which stands beside it", path)  # an ablation of what was chosen
                continue
            yield Finding(what, path, "compare what was chosen, or keep the search in a folder of its own")


def _optimizer(setting: Setting) -> str:
    """The optimizer itself, whatever the name of its arm."""
    return str(setting.row["optimizer"])


def _seeds(task: Task, optimizers: Container[str]) -> set[int]:
    return {run.values["seed"] for one in task.settings if _optimizer(one) in optimizers for run in one.runs}


def _values(search: Task, setting: Setting) -> dict[str, Any]:
    return searched_values(setting, searched_options(search))


def _check_file(file: Path) -> Iterator[Finding]:
    """Whether `chosen.yaml` is what the trials below its folder give."""
    found: list[Task] = []
    with contextlib.suppress(BadInput):  # no runs
        found = searches(group_tasks(read_results([file.parent]).runs))
    if len(found) != 1:
        yield note("can't be checked, the trials of one search must lie below its folder", str(file))
        return
    try:
        expected = yaml.safe_load(describe_choice(found[0], searched_options(found[0])))
    except BadInput as error:
        yield Finding(f"can't be checked, sweeper.choose refuses its trials: {error}", str(file))
        return
    try:
        given = yaml.safe_load(read_file(file, SETTINGS_BYTES))
    except OSError as error:
        yield Finding(f"can't be read: {error.strerror or error}", str(file))
        return
    except (ValueError, LookupError, AttributeError, yaml.YAMLError, RecursionError):  # PyYAML's of a wrong tag, too
        given = None
    if given != expected:
        yield Finding("isn't what the trials' validation accuracies choose", str(file), "run sweeper.choose again")
