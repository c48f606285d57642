"""How many seeds a sweep's tasks need, from the scatter of finished runs in the outputs folder; no torch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeper.aggregate.comparisons import POWER
from sweeper.aggregate.sample_size import DIFFERENCES, seeds_needed
from sweeper.aggregate.statistics import mean
from sweeper.aggregate.tasks import Task, group_tasks, task_title
from sweeper.config.grid import Grid
from sweeper.config.resolved import Cell
from sweeper.runs.asked import arm_of_each
from sweeper.runs.identity import identity_config
from sweeper.runs.results import Results, read_results
from sweeper.runs.rows import ARM, Run
from sweeper.runs.status import Status
from sweeper.runs.tuned_on import by_images

# The seconds of runs trained from the beginning, so many seeds of each; None if one of them wasn't timed.
Pace = Callable[[list[dict[str, Any]], int], float | None]


def plan_seeds(grid: Grid, pace: Pace | None = None) -> list[dict[str, Any]]:
    """The seeds that each task of the grid needs to find a true difference of one pair, and their time.

    Args:
        pace: the time by a timing probe; without it, and for what it didn't time, the finished runs' training counts.
    """
    asked = {_configuration(cell): cell for cell in grid.cells}
    results = read_results([grid.outputs], none_ok=True) if grid.outputs.is_dir() else Results([])
    runs = [*results.runs]
    known = {run.configuration for run in runs}
    runs += [_not_begun(key, cell) for key, cell in asked.items() if key not in known]
    _name_arms(runs, grid, asked)
    found = []
    for task in group_tasks(runs):
        if configs := _asked_on(task, asked):
            found.append(_of_task(task, configs, pace) | {"repeats": results.repeats_of(task.runs()) or None})
    return found


def _name_arms(runs: list[Run], grid: Grid, asked: dict[str, Cell]) -> None:
    """Give runs of the grid's configurations the arms that they have in it, in place of an earlier sweep's."""
    arms_of: dict[Path, dict[tuple[int, str], str]] = {}
    for number, arms in enumerate(grid.comparisons):
        for directory, arm in arm_of_each(arms).items():
            arms_of.setdefault(directory, {})[number, "this sweep"] = arm
    for run in runs:
        if (cell := asked.get(run.configuration)) is not None:
            run.comparisons = arms_of.get(cell.directory, {})
            run.values[ARM] = next(iter(run.comparisons.values()), None)
            words = cell.config.get("tuned")
            run.tuned = frozenset({by_images(words, run.conditions.get("data"))} if words is not None else ())
            run.unnamed, run.untuned = not run.comparisons, not run.tuned


def _of_task(task: Task, configs: dict[str, dict[str, Any]], pace: Pace | None) -> dict[str, Any]:
    found = task.comparison
    methods = configs.keys() if len(configs) > 1 else configs.keys() | set(found.methods)
    told = found.deviation > 0 and len(methods) > 1
    return {
        "task": task_title(task),
        "optimizers": len(methods),
        "noun": task.noun,
        "finished": sum(found.seeds.values()),
        "deviation": found.deviation if told else None,
        "df": found.df if told else None,
        "power": POWER,
        "needed": [_needed(d, task, len(methods), [*configs.values()], pace) for d in DIFFERENCES] if told else [],
    }


def _needed(
    difference: float, task: Task, methods: int, configs: list[dict[str, Any]], pace: Pace | None
) -> dict[str, Any]:
    seeds = seeds_needed(difference, task.comparison.deviation, methods)
    timed = pace(configs, seeds) if pace and seeds and len(configs) == methods else None
    seconds = _recorded(task, methods, seeds) if timed is None and seeds else timed
    return {
        "difference": difference,
        "seeds": seeds,
        "runs": seeds and seeds * methods,
        "seconds": seconds and round(seconds, 3),
        "timed": timed is not None,
    }


def _recorded(task: Task, methods: int, seeds: int) -> float | None:
    """As the finished runs of the task were trained, one at a time."""
    trained = [run.values.get("train_seconds") for run in task.runs() if run.status is Status.COMPLETED]
    seconds = [value for value in trained if value is not None]
    return methods * seeds * mean(seconds) if seconds else None


def _asked_on(task: Task, asked: dict[str, Cell]) -> dict[str, dict[str, Any]]:
    """A configuration that is asked for of each optimizer of the task."""
    cells = {s.optimizer: asked.get(run.configuration) for s in task.settings for run in s.runs[:1]}
    return {optimizer: cell.config for optimizer, cell in cells.items() if cell is not None}


def _configuration(cell: Cell) -> str:
    return json.dumps(identity_config({**cell.config, "seed": None}), sort_keys=True)


def _not_begun(configuration: str, cell: Cell) -> Run:
    values = {"status": Status.RUNNING.value, "seed": cell.config["seed"], "run": cell.directory.name}
    values |= {group: cell.config[group]["name"] for group in ("dataset", "model", "optimizer", "noise")}
    return Run(str(cell.directory), values, configuration)
