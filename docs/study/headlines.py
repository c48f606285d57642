"""What each README shows of the studies: the answer of each, and one table of all; and the part of
`docs/study/README.md` that compares the optimizers over all studies that have results."""

from collections.abc import Callable, Sequence

from cells import mean_words, table
from control import Failure

from sweeper.aggregate.critical_difference import compare_tasks
from sweeper.aggregate.tasks import Setting, Task, task_title
from sweeper.aggregate.verdict import describe_task
from sweeper.report.tables import across_table

WORDS = {  # in each README: of the table's header, of a share of wrong labels, and of a control that failed
    "README.md": (
        "optimizer",
        "test accuracy",
        "lr, weight decay",
        "{:g} % wrong labels",
        "; the control failed: by its published values {} ends higher, and then **{}**",
    ),
    "README.zh-CN.md": (
        "优化器",
        "测试准确率",
        "学习率，权重衰减",
        "{:g} % 错误标签",
        "；{} 未通过对照检验，其已发表的取值结果更好；换用后：**{}**",
    ),
}


def headlines(tasks: Sequence[Task], failures: Sequence[Failure | None] = ()) -> dict[str, str]:
    """For each README the answer to each task, and a row an optimizer, those of the first task in its order first.

    Args:
        failures: where the control of each task's study failed; none: it failed nowhere.
    """
    settings: dict[str, dict[int, Setting]] = {}
    for k, task in enumerate(tasks):
        for setting in task.compared:
            settings.setdefault(setting.optimizer, {})[k] = setting
    failed = failures or [None] * len(tasks)
    return {readme: _headline(tasks, failed, settings, *words) for readme, words in WORDS.items()} if tasks else {}


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


def _headline(
    tasks: Sequence[Task],
    failures: Sequence[Failure | None],
    settings: dict[str, dict[int, Setting]],
    optimizer: str,
    accuracy: str,
    values: str,
    wrong: str,
    failed: str,
) -> str:
    names = [_name(task, wrong.format) for task in tasks]
    answers = [
        answer(task) + (failed.format(one.names, one.then) if one else "")
        for task, one in zip(tasks, failures, strict=True)
    ]
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
