"""The verdict in words: what may be concluded from the runs, and what not. Every claim states its n."""

import math
from collections import Counter
from collections.abc import Sequence

from sweeper.aggregate.labels import set_apart_by, texts
from sweeper.aggregate.statistics import smallest_detectable_difference
from sweeper.aggregate.summary import describe_mixture
from sweeper.aggregate.tables import accuracy
from sweeper.aggregate.tasks import FAILED, Pair, Setting, Task
from sweeper.runs.rows import Run
from sweeper.runs.status import Status

# With fewer than six seeds, the same order in every seed isn't rare: with equal optimizers it occurs in 2 ** (1 - n) of
# all studies (two-sided sign test), 25 % at three seeds and 3 % at six. The t test finds more only by assuming normal
# differences, which few seeds can't verify.
FEWEST_SEEDS = 6
LEVEL = 0.05


def points(share: float) -> str:
    """A difference of accuracies in percentage points, e.g. `+1.25`."""
    return "–" if math.isnan(share) else f"{round(100 * share, 2) + 0.0:+.2f}".replace("-", "−")  # no −0.00


def p_words(p: float) -> str:
    if math.isnan(p):
        return "–"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def is_told_apart(pair: Pair) -> bool:
    return pair.p < LEVEL


def describe_pair(pair: Pair) -> str:
    """The conclusion about a pair, in a few words."""
    c = pair.comparison
    if c.n == 0:
        return "no seed in common"
    if c.n == 1:
        return "one seed tells nothing of chance"
    if math.isnan(c.p):
        return "no difference in any seed" if c.difference == 0 else f"the same difference in all {c.n} seeds"
    if not is_told_apart(pair):
        return f"not told apart by {c.n} seeds"
    better = pair.a if c.difference > 0 else pair.b
    if c.n < FEWEST_SEEDS:
        return f"{better.optimizer} ahead; {c.n} seeds are too few for more"
    return f"{better.optimizer} better"


def describe_task(task: Task) -> list[str]:
    """The sentences of the verdict on a task."""
    if not task.compared:
        return ["No run has completed on this task, so there is no verdict."]
    first, *others = task.compared
    if not first.final():
        return ["Every finished run on this task diverged, so there is no verdict."]
    said = []
    result = f"{first.label} with {accuracy(first.row, 'final_test_accuracy')}"
    if others:
        second = f"{others[0].label} with {accuracy(others[0].row, 'final_test_accuracy')}"
        said.append(f"First in final test accuracy is {result}; next is {second}.")
        said += _against_others(task, first)
    else:
        said.append(f"There is one optimizer only: {result}. No other has finished a run, so nothing can be compared.")
    said += [_divergence(setting, task.rank_seeds) for setting in task.compared if setting.diverged()]
    if task.chosen_by == "test":
        said.append(
            "Some optimizers were run with several settings and no images were held out for validation, so the best by "
            "test accuracy stands here. That flatters whoever was given more settings: no verdict between optimizers."
        )
    if task.chosen_by == "validation":
        said.append("Of several settings of an optimizer, the one of highest validation accuracy stands here.")
    return said


def describe_limits(tasks: Sequence[Task], runs: Sequence[Run]) -> list[str]:
    """The sentences on the limits of the verdict."""
    said = []
    counts = Counter(run.status for run in runs)
    if unfinished := counts[Status.RUNNING] + counts[Status.INTERRUPTED]:
        said.append(f"{_runs(unfinished)} not finished and counted in no mean.")
    if bad := counts[Status.FAILED] + counts[Status.DAMAGED]:
        said.append(f"{_runs(bad)} failed or damaged and counted in no mean; see the reasons below.")
    if mixture := describe_mixture(runs):
        said.append(f"These runs were not all made alike ({mixture}), which may move results too.")
    lengths = {(task.config["epochs"], task.config["batch_size"]) for task in tasks}
    apart = ["length or batch size"] if len(lengths) > 1 else []
    apart += [name for name in set_apart_by([task.config for task in tasks]) if name != "batch_size"]
    if apart:
        said.append(f"Runs of different {_listed(apart)} stand as tasks of their own and are compared with none.")
    own = [_own_schedule(task, setting) for task in tasks for setting in task.compared if _has_own(task, setting)]
    said += dict.fromkeys(own)  # of several tasks once
    compared = [(task, setting) for task in tasks for setting in task.compared]
    if compared and all(len(_settings_of(task, setting.optimizer)) == 1 for task, setting in compared):
        said.append(
            "Each optimizer was run with one setting: another learning rate or weight decay may turn the order."
        )
    if len({task.config["dataset"]["name"] for task in tasks}) == 1:
        said.append("One data set says nothing about others.")
    return said


def _against_others(task: Task, first: Setting) -> list[str]:
    """Sentences that compare the leader with the others; no claims if settings were chosen on the test images."""
    if task.chosen_by == "test":
        return []
    all_pairs = [pair for pair in task.pairs if pair.a is first]
    pairs = [pair for pair in all_pairs if pair.comparison.n > 1]
    if not pairs:
        if all(pair.comparison.n == 0 for pair in all_pairs):
            return ["It has no completed seed in common with another optimizer, so nothing can be compared."]
        return ["One seed tells nothing of chance: this order may be luck. Three seeds or more give an interval."]
    fewest = min(pair.comparison.n for pair in pairs)
    said = [_seed_by_seed(pairs[0])]
    apart = [pair.b.label for pair in pairs if is_told_apart(pair) and pair.comparison.difference > 0]
    alike = [pair.b.label for pair in pairs if pair.b.label not in apart]
    if apart:
        words = f"paired t tests with Holm's correction over all {len(task.pairs)} pairs of optimizers"
        if fewest < FEWEST_SEEDS:
            said.append(
                f"If differences are about normal, which {fewest} seeds can't show, {words} tell it apart from "
                f"{_listed(apart)}."
            )
        else:
            said.append(f"By {words} it is better than {_listed(apart)}.")
    if alike:
        said.append(f"It is not told apart from {_listed(alike)}, which doesn't show that they are equal.")
    if fewest < FEWEST_SEEDS:
        said.append(
            f"{fewest} seeds are few: of two equal optimizers one would still lead in every seed in "
            f"{100 * 2.0 ** (1 - fewest):.0f} % of studies."
        )
    c = pairs[0].comparison
    if c.deviation > 0:
        smallest = smallest_detectable_difference(c.deviation, c.n)
        said.append(
            f"With the scatter between {first.label} and {pairs[0].b.label}, {c.n} seeds find a true difference of "
            f"{100 * smallest:.2f} points in four studies of five, and a smaller one less often."
        )
    return said


def _seed_by_seed(pair: Pair) -> str:
    c = pair.comparison
    where = f"each of {c.n}" if c.ahead == c.n else f"{c.ahead} of {c.n}"
    return (
        f"Seed by seed it was ahead of {pair.b.label} in {where} seeds, by {points(c.difference)} points on average "
        f"(95 % interval {points(c.low)} to {points(c.high)})."
    )


def _divergence(setting: Setting, rank_seeds: list[int]) -> str:
    scores = setting.scores()
    ranked = any(scores[seed] == FAILED for seed in rank_seeds)
    below = " and therefore ranks below all that never did" if ranked else ""
    others = "; its mean is of the others" if setting.final() else ""
    return f"{setting.label} diverged in {setting.diverged()} of {len(scores)} finished runs{below}{others}."


def _has_own(task: Task, setting: Setting) -> bool:
    return bool(setting.config.get("schedule") != task.config["schedule"])


def _own_schedule(task: Task, setting: Setting) -> str:
    schedules = (texts({"schedule": config["schedule"]}) for config in (setting.config, task.config))
    own, others = (values.get("schedule.name", "–") for values in schedules)
    return f"{setting.label} has the schedule that its own YAML brings, {own}; the others have {others}."


def _settings_of(task: Task, optimizer: str) -> list[Setting]:
    return [setting for setting in task.settings if setting.optimizer == optimizer]


def _runs(count: int) -> str:
    return f"{count} run is" if count == 1 else f"{count} runs are"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
