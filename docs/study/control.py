"""Are a study's chosen settings worse than the published ones? A study's control."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from sweeper.aggregate.block_design import BlockDesign
from sweeper.aggregate.tasks import Setting, Task

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
