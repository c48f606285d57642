"""The part of a study's page that tells what wrong labels cost each optimizer, and whose loss is smaller."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cells import mean_words, table
from control import LEVEL
from scipy.special import stdtrit

from sweeper.aggregate.block_design import BlockDesign
from sweeper.aggregate.points import points
from sweeper.aggregate.studentized_range import probability
from sweeper.aggregate.tasks import Task, group_tasks
from sweeper.config.tuned import recipe_hash
from sweeper.runs.record import read_run
from sweeper.runs.results import read_results
from sweeper.system.text import counted

Scores = Mapping[int, float]  # by seed, each a share of the test images


@dataclass(frozen=True)
class Losses:
    """The accuracy with right labels less that with wrong ones, as shares of the test images.

    Attributes:
        of: by optimizer, the smallest loss first.
        differences: by pair (a, b), of which a loses less: the loss of b - that of a, and the 95 % interval's ends.
        df: the residual's degrees of freedom.
    """

    of: dict[str, float]
    differences: dict[tuple[str, str], tuple[float, float, float]]
    df: int


def losses(right: Mapping[str, Scores], wrong: Mapping[str, Scores]) -> Losses:
    """One model of both tasks, score ~ optimizer × labels + seed, whose residual deviation is pooled over all.

    Each interval is Student's, of that pair alone. Two tasks of unequal scatter are pooled with little harm where all
    have the same seeds: each difference is of as many scores of the one as of the other. Where a seed shifts the two
    tasks unlike, the pooled deviation is larger than that of a difference, and the intervals are too wide rather than
    too narrow.

    Args:
        right, wrong: of the completed runs, by optimizer; one that lacks either is left out. Where common seeds don't
            connect all of them there is no result.
    """
    optimizers = [name for name in right if right[name] and wrong.get(name)]
    cells = [scores[name] for name in optimizers for scores in (right, wrong)]
    seeds = sorted({seed for scores in cells for seed in scores})
    scores = np.array([[cell.get(seed, np.nan) for seed in seeds] for cell in cells])
    design = BlockDesign(np.isfinite(scores))
    if not cells or not design.connected:
        return Losses({}, {}, 0)
    effects, residuals = design.fit(scores)
    signs = np.kron(np.eye(len(optimizers)), [1.0, -1.0])  # (optimizers, cells): right - wrong
    found = dict(zip(optimizers, map(float, signs @ effects), strict=True))
    best_first = sorted(optimizers, key=lambda name: found[name])
    differences = {}
    if design.df > 0:
        reach = float(stdtrit(design.df, (1 + LEVEL) / 2)) * float(design.deviation(residuals))
        for a, b in itertools.combinations(best_first, 2):
            contrast = signs[optimizers.index(b)] - signs[optimizers.index(a)]
            half = reach * float(np.sqrt(contrast @ design.inverse @ contrast))
            differences[a, b] = (found[b] - found[a], found[b] - found[a] - half, found[b] - found[a] + half)
    return Losses({name: found[name] for name in best_first}, differences, design.df)


def right_labels(wrong: Task, tasks: Sequence[Task]) -> Task | None:
    """The same task with right labels among `tasks`, if one of them is."""
    asked = but_for_labels(wrong.config)
    return next((t for t in tasks if not _has_wrong_labels(t) and but_for_labels(t.config) == asked), None)


def describe_robustness(wrong: Task, study: Path) -> str:
    """What wrong labels cost, by the same task with right ones of a study beside this one; "" without one of both.

    A table with an optimizer's accuracies and loss a row, one of the pairs, what they say, the other study's commit.
    """
    if not wrong.config["noise"]["rate"]:
        return ""
    for other in sorted(path.parent for path in study.parent.glob("*/runs")):
        if right := right_labels(wrong, group_tasks(read_results([other / "runs"]).runs)):
            commits = {str(read_run(Path(run.path))["environment"]["commit"]) for run in right.runs()}
            said = f"Right labels: [{other.name}](../{other.name}/README.md), of commit {', '.join(sorted(commits))}."
            return "\n\n".join([*_parts(right, wrong), said])
    return ""


def _parts(right: Task, wrong: Task) -> list[str]:
    diverged = _diverged({"right": right, "wrong": wrong})
    parts = _tables(right, wrong, set(diverged))
    if diverged:
        told = "; ".join(f"{name} diverged in {' and '.join(where)}" for name, where in diverged.items())
        parts.append(f"{told}. Of these the completed seeds are counted, and none is said to lose less than another.")
    return parts


def _tables(right: Task, wrong: Task, diverged: Collection[str]) -> list[str]:
    scores = [{setting.optimizer: setting.final() for setting in task.compared} for task in (right, wrong)]
    found = losses(*scores)
    if not found.of:
        return ["No optimizer has completed runs of both tasks with common seeds."]
    means = {name: [mean_words([*one[name].values()]) for one in scores] for name in found.of}
    rows = [[name, *means[name], f"{100 * loss:.2f}"] for name, loss in found.of.items()]
    share = f"{100 * wrong.config['noise']['rate']:g} % wrong labels"
    parts = [table(["optimizer", "right labels", share, "loss, points"], rows)]
    if found.differences:
        pairs = [[f"{b} − {a}", *_interval(*ends)] for (a, b), ends in found.differences.items()]
        apart = [
            f"{a} loses less than {b}"
            for (a, b), (_, low, _) in found.differences.items()
            if low > 0 and a not in diverged
        ]
        parts.append(table(["pair", "difference of their losses", "95 % interval of it alone"], pairs))
        none = "No interval shows that one loses less, which doesn't mean that the losses are equal."
        said = [f"By the intervals {'; '.join(apart)}." if apart else none]
        if len(found.of) > 2:
            said.append(
                f"Each interval is of its pair alone: with {len(found.of)} equal losses one at least excludes 0 "
                f"in {100 * chance_of_any(len(found.of), found.df):.0f} % of studies."
            )
        parts.append(" ".join(said))
    return parts


def chance_of_any(optimizers: int, df: int) -> float:
    """How often, of equal losses, one interval at least excludes 0: the largest difference is their range. Of complete
    seeds."""
    return 1 - probability(math.sqrt(2) * float(stdtrit(df, (1 + LEVEL) / 2)), optimizers, df)


def _diverged(tasks: Mapping[str, Task]) -> dict[str, list[str]]:
    """Of each optimizer that diverged in how many seeds, for each of the tasks by their labels."""
    found: dict[str, list[str]] = {}
    for labels, task in tasks.items():
        for setting in task.compared:
            if lost := setting.diverged():
                seeds = f"{lost} of {counted(len(setting.scores()), 'seed')} with {labels} labels"
                found.setdefault(setting.optimizer, []).append(seeds)
    return found


def _has_wrong_labels(task: Task) -> bool:
    return bool(task.config["noise"]["name"] != "none")


def but_for_labels(config: dict[str, Any]) -> tuple[int, str]:
    """What two tasks have in common that differ in their labels alone."""
    noise = dict.fromkeys(config["noise"]) | {"name": "none", "kind": "none"}
    return config["epochs"], recipe_hash({**config, "noise": noise})


def _interval(difference: float, low: float, high: float) -> tuple[str, str]:
    return points(difference), f"{points(low)} to {points(high)}"
