"""What each README shows of the studies: the answer of each, and one table of all."""

from collections.abc import Callable, Sequence
from statistics import mean, stdev

from searched import table

from sweeper.aggregate.tasks import Setting, Task
from sweeper.aggregate.verdict import describe_task

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
