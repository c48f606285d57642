"""Are a study's chosen settings worse than the published ones? A study's control, and what its page says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cells import mean_words, table
from scipy.special import stdtrit

from sweeper.aggregate.block_design import BlockDesign
from sweeper.aggregate.comparisons import compare
from sweeper.aggregate.conclusions import answer
from sweeper.aggregate.points import points, size
from sweeper.aggregate.tasks import Setting, Task
from sweeper.config.tuned import recipe_hash
from sweeper.system.text import listed

LEVEL = 0.95  # of each interval by itself: without a correction for their number a failure is found sooner


@dataclass(frozen=True)
class Control:
    """One optimizer's chosen setting beside its published one; all numbers are shares of the test images.

    Attributes:
        difference: chosen - published; None if the published values were chosen, or one has no completed run.
        low, high: its 95 % interval.
    """

    optimizer: str
    chosen: Mapping[int, float]
    published: Mapping[int, float]
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def failed(self) -> bool:
        """Whether the chosen setting is worse by more than chance, or all its runs diverged."""
        if not self.chosen:
            return bool(self.published)
        return self.high is not None and self.high < 0


def controls(chosen: Task, published: Task) -> list[Control]:
    """One an optimizer that has both.

    All settings share one model, score ~ setting + seed, so the residual deviation is pooled over all of them.
    """
    pairs = {s.optimizer: (s, other) for s in chosen.compared if (other := published.setting_of(s.optimizer))}
    trained = {name: pair for name, pair in pairs.items() if pair[0].final() and pair[1].final()}
    unlike = {name: pair for name, pair in trained.items() if values(pair[0]) != values(pair[1])}
    scores = {(name, k): pair[k].final() for name, pair in unlike.items() for k in (0, 1)}
    intervals = contrasts(scores) if scores else {}
    return [
        Control(name, first.final(), second.final(), *intervals.get(name, ()))
        for name, (first, second) in sorted(pairs.items())
    ]


def values(setting: Setting) -> dict[str, object]:
    return {name: value for name, value in setting.config["optimizer"].items() if name != "tuned"}


def contrasts(scores: Mapping[tuple[str, int], Mapping[int, float]]) -> dict[str, tuple[float, float, float]]:
    """For each optimizer the difference of its settings 0 and 1, and its interval's ends.

    Args:
        scores: by optimizer and setting, then by seed.
    """
    settings: Sequence[tuple[str, int]] = list(scores)
    seeds = sorted({seed for by_seed in scores.values() for seed in by_seed})
    table = np.array([[by_seed.get(seed, np.nan) for seed in seeds] for by_seed in scores.values()])
    design = BlockDesign(~np.isnan(table))
    effects, residuals = design.fit(table)
    reach = float(stdtrit(design.df, (1 + LEVEL) / 2)) * float(design.deviation(residuals)) * design.errors()
    found = {}
    for name in dict.fromkeys(name for name, _ in settings):
        i, j = settings.index((name, 0)), settings.index((name, 1))
        difference = float(effects[i] - effects[j])
        found[name] = (difference, difference - float(reach[i, j]), difference + float(reach[i, j]))
    return found


def describe_control(tasks: Sequence[Task], published: Sequence[Task]) -> str:
    """Each chosen setting beside the published one: a table, the verdict, the runs that are missing. "" without any."""
    rows, failed, missing = [], [], list[str]()
    for task in tasks:
        for other in _of_this_recipe(task, published):
            for one in controls(task, other):
                failed += [one.optimizer] * one.failed
                rows.append(_row(one))
            missing += _missing(other, [setting.optimizer for setting in task.compared])
    header = ["optimizer", "chosen", "published values", "difference", "95 % interval of it alone"]
    verdict = f"**Worse than the published values: {', '.join(failed)}. The protocol failed.**"
    fine = "No chosen setting is worse than the published one by more than chance."
    parts = [table(header, rows), verdict if failed else fine]
    if missing:
        parts.append(f"Not trained yet, of the published values: {listed(missing)}.")
    return "\n\n".join(parts) if rows else ""


@dataclass(frozen=True)
class Failure:
    """Where the control of a study failed.

    Attributes:
        of: the optimizers whose published settings are better.
        then: the answer with these settings in place of the chosen ones.
    """

    of: tuple[Control, ...]
    then: str

    @property
    def names(self) -> str:
        return listed([one.optimizer for one in self.of])

    def words(self) -> str:
        """For the study's page, beside its answer."""
        ones = [
            f"{one.optimizer}'s published values end {size(-one.difference)} points higher than its chosen ones "
            f"(95 % interval {size(-one.high)} to {size(-one.low)})"
            if one.difference is not None and one.low is not None and one.high is not None
            else f"{one.optimizer} diverged with its chosen values and not with the published ones"
            for one in self.of
        ]
        means = "; ".join(f"{one.optimizer} {mean_words(list(one.published.values()))}" for one in self.of)
        return (
            f"**The [control](#the-control) failed**: {'; '.join(ones)}. With the published values in their place "
            f"({means}): **{self.then}**"
        )


def failure(task: Task, published: Sequence[Task]) -> Failure | None:
    for other in _of_this_recipe(task, published):
        if failed := tuple(one for one in controls(task, other) if one.failed):
            better = {one.optimizer: one.published for one in failed}
            scores = {setting.optimizer: setting.final() for setting in task.compared} | better
            lost = {s.optimizer: s.diverged() for s in task.compared if s.optimizer not in better}
            return Failure(failed, answer(compare(scores, lost)))
    return None


def _of_this_recipe(task: Task, published: Sequence[Task]) -> list[Task]:
    asked = task.config["epochs"], recipe_hash(task.config)
    return [other for other in published if (other.config["epochs"], recipe_hash(other.config)) == asked]


def _row(one: Control) -> list[str]:
    words = [mean_words(list(scores.values())) for scores in (one.chosen, one.published)]
    if one.difference is None or one.low is None or one.high is None:
        both = one.chosen and one.published
        return [one.optimizer, *words, "the published values were chosen" if both else "all runs of one diverged", "–"]
    return [one.optimizer, *words, points(one.difference), f"{points(one.low)} to {points(one.high)}"]


def _missing(published: Task, optimizers: Sequence[str]) -> list[str]:
    """The seeds that one of these has and others lack."""
    found = {setting.optimizer: setting.scores() for setting in published.compared}
    scores = {name: found.get(name, {}) for name in optimizers}
    seeds = sorted({seed for by_seed in scores.values() for seed in by_seed})
    lacking = {name: [f"{seed}" for seed in seeds if seed not in by_seed] for name, by_seed in scores.items()}
    return [f"{name} seed {', '.join(lacks)}" for name, lacks in sorted(lacking.items()) if lacks]
