"""Who loses less by wrong labels: two tasks that differ in their labels alone, compared seed by seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sweeper.aggregate.comparisons import Comparison, compare
from sweeper.aggregate.conclusions import answer, describe_comparison, headline
from sweeper.aggregate.grouping import UNKNOWN
from sweeper.aggregate.labels import BY_ARM, is_clean, texts
from sweeper.aggregate.tasks import Setting, Task
from sweeper.runs.rows import Run

Drops = dict[str, dict[int, float]]  # by method and seed


@dataclass(frozen=True)
class Robustness:
    """What the wrong labels of a task cost, by the same task with right ones.

    Attributes:
        drops: the final test accuracy with right labels less that with wrong ones, as a share, of the seeds that
            completed both.
        comparison: of these by method and seed, as accuracies are compared; the better one loses less. A seed that
            diverged with either labels is diverged, whether it has the other one or not.
    """

    clean: Task
    noisy: Task
    drops: Drops
    comparison: Comparison

    @property
    def label(self) -> str:
        return f"robustness, {self.noisy.label}"

    @property
    def methods(self) -> list[str]:
        """Those with a drop, who loses least first; where seeds are missing, by the model's estimates."""
        return [method for method in self.comparison.methods if self.drops[method]]

    def runs(self) -> list[Run]:
        """Those whose drops are compared."""
        settings = [task.setting_of(method) for task in (self.clean, self.noisy) for method in self.drops]
        return [run for setting in settings if setting for run in setting.runs]

    def headline(self, margin: float | None = None) -> str:
        return headline(self.comparison, margin)

    def said(self, margin: float | None = None) -> str:
        """The headline for a terminal, which has no other sentence beside it: with what the sign means."""
        return f"{self.headline(margin)}{' (> means: loses less)' if self.comparison.order.better else ''}"

    def describe(self, margin: float | None = None) -> list[str]:
        """The answer, what a loss is, why the answer holds, and what it doesn't show."""
        each = "settings that were tuned for each" if self.tuned_apart else "the same setting"
        what = f"Lost: final test accuracy with right labels minus that with wrong ones, in each seed, by {each}."
        same = "All runs with wrong labels have the same ones; others may turn the order."
        return [answer(self.comparison, margin), what, *describe_comparison(self.comparison, margin), same]

    @property
    def tuned_apart(self) -> bool:
        """Whether a method's setting isn't the same in both tasks."""
        pairs = [(self.clean.setting_of(method), self.noisy.setting_of(method)) for method in self.drops]
        return any(not _same(clean, noisy) for clean, noisy in pairs if clean and noisy)


def find_robustness(tasks: Sequence[Task]) -> list[Robustness]:
    """One for each task with wrong labels of which the same with right ones is there, in the order of the tasks.

    A method counts by a setting that is the same in both, or tuned in both. Where test or validation images of these
    very runs chose settings, nothing is told, nor of arms with unlike labels: they would lose by unlike causes.
    """
    usable = [task for task in tasks if task.compared and not task.chosen_by and task.config["noise"]["name"] != BY_ARM]
    clean: dict[str, list[Task]] = {}
    for task in (task for task in usable if is_clean(task.config["noise"])):
        clean.setdefault(repr(but_for_labels(task)), []).append(task)
    found = []
    for noisy in (task for task in usable if not is_clean(task.config["noise"])):
        each = [robustness(one, noisy) for one in clean.get(repr(but_for_labels(noisy)), ())]
        # No noise and a rate of 0 are two tasks; that with more common runs tells more.
        several = [one for one in each if len(one.methods) > 1]
        found += sorted(several, key=lambda one: -sum(map(len, one.drops.values())))[:1]
    return found


def robustness(clean: Task, noisy: Task) -> Robustness:
    drops: Drops = {}
    diverged = {}
    for method, before, after in _in_both(clean, noisy):
        right, wrong = before.final(), after.final()
        drops[method] = {seed: right[seed] - wrong[seed] for seed in sorted(right.keys() & wrong.keys())}
        diverged[method] = len((before.scores().keys() - right.keys()) | (after.scores().keys() - wrong.keys()))
    gains = {method: {seed: -drop for seed, drop in by_seed.items()} for method, by_seed in drops.items()}
    return Robustness(clean, noisy, drops, replace(compare(gains, diverged, noun=noisy.noun), losses=True))


def but_for_labels(task: Task) -> list[tuple[str, str]]:
    """What two tasks have in common that differ in their labels alone. A run whose record doesn't tell its images, as
    one that failed before it had them, sets its task apart from none."""
    values = texts({k: v for k, v in task.config.items() if k not in ("noise", "data")})
    data = ", ".join(sorted({*str(task.config.get("data", UNKNOWN)).split(", ")} - {UNKNOWN}))
    return sorted((values | {"data": data, "by_arm": str(task.is_of_arms), "tuned": str(bool(task.tuned))}).items())


def _in_both(clean: Task, noisy: Task) -> Iterator[tuple[str, Setting, Setting]]:
    for after in noisy.compared:
        before = clean.setting_of(after.optimizer)
        if before is not None and (_same(before, after) or (clean.tuned and noisy.tuned)):
            yield after.optimizer, before, after


def _same(a: Setting, b: Setting) -> bool:
    one, other = ({k: v for k, v in setting.config.items() if k != "noise"} for setting in (a, b))
    return one == other
