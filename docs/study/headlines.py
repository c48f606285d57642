"""What each README shows of the studies: the answer of each, and one table of all; and the part of
`docs/study/README.md` that compares the optimizers over all studies that have results."""

from collections.abc import Callable, Sequence
from statistics import mean, stdev

from searched import table

from sweeper.aggregate.critical_difference import compare_tasks
from sweeper.aggregate.tasks import Setting, Task, task_title
from sweeper.aggregate.verdict import describe_task
from sweeper.report.tables import across_table

WORDS = {  # in each README: of the table's header, and of a share of wrong labels
    "README.md": ("optimizer", "test accuracy", "lr, weight decay", "{:g} % wrong labels"),
    "README.zh-CN.md": ("优化器", "测试准确率", "学习率，权重衰减", "{:g} % 错误标签"),
}


def headlines(tasks: Sequence[Task]) -> dict[str, str]:
    """For each README the answer to each task, and a row an optimizer, those of the first task in its order first."""
    settings: dict[str, dict[int, Setting]] = {}
    for k, task in enumerate(tasks):
        for setting in task.compared:
            settings.setdefault(setting.optimizer, {})[k] = setting
    return {readme: _headline(tasks, settings, *words) for readme, words in WORDS.items()} if tasks else {}


def describe_over_studies(tasks: Sequence[Task]) -> str:
    """Normalized scores over the tasks, and mean ranks where there are enough of them; "" with fewer than two tasks."""
    across, counted = across_table(tasks)
    if not across.rows:
        return ""
    parts = [
        "## Over all studies",
        f"{counted} {'; '.join(map(task_title, tasks))}. On each the worst optimizer's mean is 0, the best one's 1. "
        "The interquartile mean (IQM) is over all runs, and improvement is how often a run beats another optimizer's. "
        "The intervals tell of other seeds on these tasks, not of other tasks.",
        table(across.header, [[cell.text for cell in line.cells] for line in across.rows]),
    ]
    if ranks := compare_tasks(tasks):
        means = ", ".join(f"{name} {rank:.1f}" for name, rank in ranks.ranks.items())
        parts.append(f"Mean ranks: {means}; two that lie within {ranks.critical:.1f} aren't told apart.")
    return "\n\n".join(parts)


def answer(task: Task) -> str:
    first, *_ = describe_task(task)
    return f"**{first}**"


def mean_words(shares: Sequence[float]) -> str:
    around = f" ± {100 * stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{100 * mean(shares):.2f}{around} % (n = {len(shares)})" if shares else "– (n = 0)"


def _headline(
    tasks: Sequence[Task],
    settings: dict[str, dict[int, Setting]],
    optimizer: str,
    accuracy: str,
    values: str,
    wrong: str,
) -> str:
    names = [_name(task, wrong.format) for task in tasks]
    answers = [answer(task) for task in tasks]
    if len(tasks) > 1:
        answers = [f"- {name}: {said}" for name, said in zip(names, answers, strict=True)]
    header = [optimizer, *(word for name in names for word in (f"{name}: {accuracy}", values))]
    rows = [[name, *(word for k in range(len(tasks)) for word in _cells(of.get(k)))] for name, of in settings.items()]
    return "\n".join(answers) + "\n\n" + table(header, rows)


def _name(task: Task, wrong: Callable[[float], str]) -> str:
    rate = task.config["noise"]["rate"]
    return str(task.config["dataset"]["name"]) + (f", {wrong(100 * rate)}" if rate else "")


def _cells(setting: Setting | None) -> tuple[str, str]:
    if setting is None:
        return "–", "–"
    values = [f"{setting.config['optimizer'][name]:g}" for name in ("lr", "weight_decay")]
    return mean_words(list(setting.final().values())), ", ".join(values)
