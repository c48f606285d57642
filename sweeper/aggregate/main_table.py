"""The main table of a paper as LaTeX: optimizers × tasks, the best in bold, those not below it underlined, letters."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweeper.aggregate.conclusions import n_words, seeds_note
from sweeper.aggregate.labels import kind_of, plural
from sweeper.aggregate.latex import floating, in_latex, tabular
from sweeper.aggregate.limits import describe_own_schedules
from sweeper.aggregate.tasks import Task, task_title
from sweeper.system.text import counted

CELL_WIDTH = 16  # characters of `94.12 ± 0.15` with letters and the space between columns
PAGE_WIDTH = 64  # characters that fit beside the optimizers' names
DAGGER = r"\textsuperscript{\dag}"


@dataclass(frozen=True)
class Marks:
    """What intervals say about the optimizers of a task.

    Attributes:
        best: the highest of those that no other is better than; None if there is none, or no verdict.
        not_below: those that aren't significantly below the best. Who diverged is neither.
        letters: by optimizer; two share a letter exactly if neither is better. Empty without intervals.
    """

    best: str | None
    not_below: frozenset[str]
    letters: dict[str, str]


def main_table(tasks: Sequence[Task]) -> str:
    """The table in a float with its caption; "" if nothing was completed."""
    shown = [task for task in tasks if task.comparison.methods]
    if not shown:
        return ""
    titles = [task_title(task).split(", ") for task in shown]
    shared = [part for part in titles[0] if all(part in title for title in titles)]
    heads = [_stacked([part for part in title if part not in shared]) for title in titles]
    if len(shown) == 1:
        shared, heads = titles[0], ["final"]
    marks = [mark(task) for task in shown]
    rows = [[in_latex(name), *map(_cell, shown, marks, [name] * len(shown))] for name in _order(shown)]
    parts = [
        tabular(
            "l" * (1 + len(columns)),
            [_noun(shown), *(heads[k] for k in columns)],
            [[r[0], *(r[1 + k] for k in columns)] for r in rows],
        )
        for columns in _beside(titles, shared)
    ]
    content = "\n\n\\medskip\n".join(parts)
    names = [", ".join(part for part in title if part not in shared) for title in titles]
    return floating(content, _caption(shown, marks, names, ", ".join(shared)), "tab:optimizers")


def mark(task: Task) -> Marks:
    """See `Marks`. Nothing is marked where test images chose the settings."""
    comparison = task.comparison
    whole = [m for m in comparison.methods if m not in comparison.diverged]
    if task.chosen_by == "test":
        return Marks(None, frozenset(), {})
    best = whole[0] if whole and len(task.compared) > 1 else None
    if any(d.excludes_zero and d.b == best for d in comparison.differences):
        best = None  # among finished runs one that diverged is higher, so none is first
    others = [m for m in whole if best and m != best]
    pairs = [comparison.between(m, best) for m in others if best]
    level = {m for m, d in zip(others, pairs, strict=True) if d.has_interval and not d.excludes_zero}
    return Marks(best, frozenset(level), comparison.order.letters if task.ranked else {})


def describe_test(task: Task) -> str:
    """`n = 3, 8 degrees of freedom`; without intervals, why there is no test."""
    n = n_words(task.comparison)
    if task.chosen_by == "test":
        return f"{n}, no test, since settings were chosen on the test images"
    if not task.ranked:
        return f"{n}, no test"
    return f"{n}, {counted(task.comparison.df, 'degree')} of freedom"


def _cell(task: Task, marks: Marks, optimizer: str) -> str:
    setting = task.setting_of(optimizer)
    if setting is None:
        return "--"
    row = setting.row
    if row["final_test_accuracy_mean"] is None:
        return f"diverged{DAGGER}"
    value = f"{100 * row['final_test_accuracy_mean']:.2f}"
    if row["final_test_accuracy_std"] is not None:
        value += rf" $\pm$ {100 * row['final_test_accuracy_std']:.2f}"
    if len({*task.comparison.seeds.values()}) > 1:
        value += rf" ($n = {row['n']}$)"
    if optimizer == marks.best:
        value = rf"\textbf{{{value}}}"
    elif optimizer in marks.not_below:
        value = rf"\underline{{{value}}}"
    letters = marks.letters.get(optimizer, "")
    above = rf"\textsuperscript{{{letters}}}" if letters else ""
    return value + above + DAGGER * bool(setting.diverged())


def _caption(tasks: Sequence[Task], marks: Sequence[Marks], names: Sequence[str], shared: str) -> str:
    said = [rf"Final test accuracy (\%), mean $\pm$ standard deviation over n seeds{': ' * bool(shared)}"]
    said[0] += f"{in_latex(shared)}."
    noun = _noun(tasks)
    tests = [describe_test(task) for task in tasks]
    alike = len(set(tests)) == 1
    if any(one.best for one in marks):
        said.append("Bold: the best.")
    if what := _by_estimates(tasks, marks):
        said.append(seeds_note(what))
    if any(one.letters for one in marks):
        said.append("Underlined: not significantly below it.")
        said.append(f"Two {plural(noun)} share a letter exactly if neither is significantly better.")
        said.append(
            rf"Test: a pooled block model per task, score $\sim$ {_in_model(noun)} + seed, and Tukey's simultaneous "
            r"95\,\% intervals of all pairs~\cite{tukey1953,kramer1956}; letters after~\cite{piepho2004}."
        )
    each = [f"{name}: {test}" if name else test for name, test in zip(names, tests, strict=True)]
    said.append(in_latex(f"{tests[0] if alike else '; '.join(each)}."))
    diverged = [(task, setting) for task in tasks for setting in task.compared if setting.diverged()]
    if diverged:
        said.append(rf"{DAGGER}Some seeds diverged: the mean is of the others, and the {noun} wins no pair.")
    if any(task.chosen_by == "validation" for task in tasks):
        said.append(f"Of several settings of an {noun}, the one of highest validation accuracy.")
    said += [in_latex(sentence) for sentence in describe_own_schedules(tasks)]
    return "\n".join(said)


def _noun(tasks: Sequence[Task]) -> str:
    return kind_of(setting.arm for task in tasks for setting in task.settings)


def _in_model(noun: str) -> str:
    return noun if " " not in noun else "method"


def _by_estimates(tasks: Sequence[Task], marks: Sequence[Marks]) -> str:
    """What the model's estimates tell instead of the means that are shown; "" if they are the same."""
    adjusted = [(task, one) for task, one in zip(tasks, marks, strict=True) if task.comparison.adjusted]
    ordered = any(task.chosen_by != "validation" for task, _ in adjusted)
    bold = any(one.best for _, one in adjusted)
    return " and ".join(["order"] * ordered + ["bold"] * bold)


def _beside(titles: Sequence[Sequence[str]], shared: Sequence[str]) -> list[list[int]]:
    """The tasks whose columns stand beside each other; what is too wide for a page is continued below."""
    found: list[list[int]] = [[]]
    used = 0
    for k, title in enumerate(titles):
        width = max([CELL_WIDTH, *(len(part) for part in title if part not in shared)])
        if found[-1] and used + width > PAGE_WIDTH:
            found.append([])
            used = 0
        found[-1].append(k)
        used += width
    return found


def _order(tasks: Sequence[Task]) -> list[str]:
    """All methods, by their mean place in the tasks' orders."""
    places: dict[str, list[int]] = {}
    for task in tasks:
        for place, setting in enumerate(task.compared):
            places.setdefault(setting.optimizer, []).append(place)
    return sorted(places, key=lambda name: (sum(places[name]) / len(places[name]), name))


def _stacked(parts: Sequence[str]) -> str:
    """Parts of a task's label, one below the other."""
    lines = r"\\".join(map(in_latex, parts))
    return rf"\shortstack[l]{{{lines}}}" if len(parts) > 1 else lines
