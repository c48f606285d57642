"""A published field: a folder of finished runs on one task, with which a newcomer is compared."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Override

from sweeper.aggregate.labels import Texts, differing, texts
from sweeper.aggregate.tasks import Task, group_tasks, task_title
from sweeper.config.overrides import parse_overrides
from sweeper.decide.judge import Result
from sweeper.runs.identity import PRECISION, flat, is_identity
from sweeper.runs.results import read_results
from sweeper.runs.rows import Run
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput, first_line, nearest
from sweeper.system.files import CONF
from sweeper.system.paths import given_path
from sweeper.system.text import counted

GROUP = "against"  # the folder of named fields, in each configuration folder


@dataclass(frozen=True)
class Field:
    """What a newcomer is compared with.

    Attributes:
        asked: as the command line names it, e.g. `against=study`.
        task: the protocol; its settings are the field's.
        runs: the compared setting's runs of each optimizer, by seed.
        seeds: those of which every optimizer has a run that ended.
        data: the hash of the images' content, as rows have it.
        others: tasks of the folder that the options choose as well.
        repeats: which of the runs were trained again, as a sentence; "" if none were.
    """

    asked: str
    folder: Path
    task: Task
    runs: dict[str, dict[int, Run]]
    seeds: tuple[int, ...]
    data: str
    others: tuple[Task, ...] = ()
    repeats: str = ""

    def results(self) -> dict[str, dict[int, Result]]:
        return {name: {seed: _result(runs[seed]) for seed in self.seeds} for name, runs in self.runs.items()}

    def directories(self) -> dict[str, list[str]]:
        """The compared runs' directories below the folder."""
        below = self.folder.resolve()
        return {
            name: [Path(runs[seed].path).resolve().relative_to(below).as_posix() for seed in self.seeds]
            for name, runs in self.runs.items()
        }

    def values(self, key: str) -> list[str]:
        """The values of an option or group that the task and the others have, as they are typed."""
        return _typed([self.task, *self.others], key)

    def words(self) -> str:
        seeds = ", ".join(map(str, self.seeds))
        return f"{self.asked}: {task_title(self.task)}; {', '.join(self.runs)}; seeds {seeds}"


def take_field(words: Iterable[str]) -> tuple[str | None, list[str]]:
    """The value of `against=NAME`, which may begin with a plus and be quoted as for Hydra, and the other words.

    Raises:
        BadInput: it is given twice, or is empty.
    """
    names, others = list[str](), list[str]()
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        (names if key == GROUP else others).append(value[quoted : len(value) - quoted] if key == GROUP else word)
    if len(names) > 1:
        raise BadInput(f"{' '.join(f'{GROUP}={name}' for name in names)}: one field at a time; leave one out")
    if names and not names[0]:
        raise BadInput(f"{GROUP}=: name a field, such as {GROUP}=study, or a folder of runs")
    return (names[0] if names else None), others


def read_field(name: str, words: Sequence[str], config_dir: str | None = None) -> Field:
    """Read a field's records.

    Args:
        name: of a file in `against/` of conf/ or of `config_dir`, or a folder.
        words: the overrides of the command line; those of the protocol choose the task.

    Raises:
        BadInput: there is no such field, its records can't be read or can't be compared with, or the task isn't clear.
    """
    asked = f"{GROUP}={name}"
    folder, usual = _place(name, [CONF, *([Path(config_dir)] if config_dir else [])])
    results = read_results([folder], none_ok=True)
    runs = results.runs
    if not runs:
        raise BadInput(f"{asked}: there are no runs in {folder}; name a folder of runs of sweeper.train")
    if bad := [run for run in runs if run.status is Status.DAMAGED or run.other_files]:
        reason = bad[0].values.get("error") or bad[0].other_files
        raise BadInput(f"{asked}: {len(bad)} of {counted(len(runs), 'record')} can't be used; {bad[0].path}: {reason}")
    tasks = [task for task in group_tasks(runs) if task.compared]
    task, others = _choose(asked, tasks, parse_overrides([*words]), usual)
    if task.chosen_by == "test":
        raise BadInput(f"{asked}: an optimizer has several settings, chosen by test images; keep one of each")
    by_seed = {s.optimizer: {run.values["seed"]: run for run in s.runs if _has_ended(run)} for s in task.compared}
    seeds = sorted(set.intersection(*map(set, by_seed.values())))
    if len(seeds) < 2:
        counts = ", ".join(f"{optimizer} {len(found)}" for optimizer, found in by_seed.items())
        raise BadInput(f"{asked}: a comparison needs two seeds that all of its optimizers have; runs ended: {counts}")
    data = {run.conditions.get("data", "") for found in by_seed.values() for run in found.values()}
    if len(data) > 1 or "" in data:
        raise BadInput(f"{asked}: its records don't all hold one hash of the images, so no verdict can be given")
    repeats = results.repeats_of(run for found in by_seed.values() for run in found.values())
    return Field(asked, folder, task, by_seed, tuple(seeds), data.pop(), others, repeats)


def _place(name: str, folders: Sequence[Path]) -> tuple[Path, list[Override]]:
    """The folder of a field's runs, and the overrides that name its usual task."""
    files = [file for place in folders if "/" not in name and (file := place / GROUP / f"{name}.yaml").is_file()]
    if not files:
        folder = given_path(name, f"{GROUP}=")
        if folder.is_dir():
            return folder, []
        known = [file.stem for place in folders for file in place.glob(f"{GROUP}/*.yaml")]
        raise BadInput(f"{GROUP}={name}: there is no such folder, and no field of this name; {nearest(name, known)}")
    try:
        content = yaml.safe_load(files[0].read_text(encoding="utf-8"))
        written, task = content["folder"], content.get("task") or ""
        folder, usual = files[0].parent / written, parse_overrides(task.split())
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        how = "write folder: FOLDER and, of several tasks, task: OPTIONS"
        raise BadInput(f"{files[0]}: isn't a field ({first_line(error)}); {how}") from error
    if not folder.is_dir():
        lies = "lie in the project's repository, not in this installation"
        where = lies if files[0].is_relative_to(CONF) else f"aren't in {folder}"
        raise BadInput(f"{GROUP}={name}: its records {where}; name their folder: {GROUP}=FOLDER")
    return folder.resolve(), usual


def _choose(
    asked: str, tasks: list[Task], given: Sequence[Override], usual: Sequence[Override]
) -> tuple[Task, tuple[Task, ...]]:
    """The one task that agrees with the options given, or else with the usual ones, too; and what these leave out."""
    if not tasks:
        raise BadInput(f"{asked}: none of its runs has ended")
    fitting = tasks
    for override in given:
        before, fitting = fitting, _agreeing(fitting, override)
        if not fitting:
            key = override.key_or_group
            values = _typed(before, key)
            trained = f"its runs were trained with {key}={' or '.join(values)}"
            how = "leave it out" if len(values) == 1 else "give one of these"
            raise BadInput(f"{override.input_line}: {asked} fixes it: {trained}; {how}")
    chosen = fitting
    for override in usual if len(fitting) > 1 else ():
        chosen = _agreeing(chosen, override)
    chosen = chosen or fitting
    if len(chosen) > 1:
        labels = "; ".join(task.label for task in chosen)
        choice = _choice([texts(task.config) for task in chosen])
        how = f"choose one, e.g. by {choice}" if choice else "no option tells them apart, so name a folder that has one"
        raise BadInput(f"{asked}: it has {len(chosen)} tasks: {labels}; {how}")
    return chosen[0], tuple(task for task in fitting if task is not chosen[0])


def _choice(tasks: Sequence[Texts]) -> str:
    """The options that choose the first of these tasks."""
    names = differing(tasks)
    groups = {name.partition(".")[0] for name in names if name.endswith(".name")}
    told = [name for name in names if name.endswith(".name") or name.partition(".")[0] not in (*groups, "data")]
    return " ".join(f"{name.removesuffix('.name')}={tasks[0].get(name, 'null')}" for name in told)


def _agreeing(tasks: list[Task], override: Override) -> list[Task]:
    """Those with the override's value; all if none has an option of this name, or if each newcomer has its own."""
    key = override.key_or_group
    if not is_identity(key) or key.partition(".")[0] in ("optimizer", "seed"):
        return tasks
    values = [_value(task, key) for task in tasks]
    if all(value is None for value in values):
        return tasks
    return [task for task, value in zip(tasks, values, strict=True) if value == override.value()]


def _typed(tasks: Sequence[Task], key: str) -> list[str]:
    return list(dict.fromkeys(typed(_value(task, key)) for task in tasks))


def _value(task: Task, key: str) -> Any:
    """A value of the task, by its dotted name; of a group its choice; None if it has none of this name."""
    group = task.config.get(key)
    if isinstance(group, dict):
        return group.get("name")
    return dict(flat(task.config)).get(key, "auto" if key == PRECISION else None)


def _has_ended(run: Run) -> bool:
    return run.status in (Status.COMPLETED, Status.DIVERGED, Status.FAILED)


def _result(run: Run) -> Result:
    score = run.values["final_test_accuracy"] if run.status is Status.COMPLETED else None
    return Result(math.nan if score is None else float(score), run.status is Status.DIVERGED)


def typed(value: Any) -> str:
    """A value as it is typed on the command line."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
