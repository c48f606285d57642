"""Labels tasks and settings in tables: by the names that readers know, and by the options in which they differ."""

from collections.abc import Iterable, Sequence
from typing import Any

from sweeper.aggregate.search_axes import followers
from sweeper.runs.identity import PRECISION, flat
from sweeper.system.text import counted

Texts = dict[str, str]  # values as text by dotted name
BY_ARM = "by arm"  # in a task's configuration, the value of what differs between the arms that it compares


def texts(config: dict[str, Any]) -> Texts:
    """All values of a configuration as text, by dotted name."""
    return {name: text(value) for name, value in flat(config)}


def text(value: Any) -> str:
    """A value with all its digits; `–` for None."""
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)


def differing(configs: Sequence[Texts]) -> list[str]:
    """The names, sorted, whose values differ or that some of the configurations lack."""
    names = sorted({name for config in configs for name in config})
    return [name for name in names if len({config.get(name) for config in configs}) > 1]


def is_clean(noise: dict[str, Any]) -> bool:
    """Whether there is no label noise. For human labels `rate` stays 0, since their rate follows from the file."""
    return not noise.get("rate") and noise.get("kind") != "human" and noise.get("name") != BY_ARM


def noise_words(noise: dict[str, Any]) -> str:
    """E.g. `20 % symmetric label noise`."""
    if is_clean(noise):
        return "no label noise"
    if noise["name"] == BY_ARM:
        return f"label noise {BY_ARM}"
    rate = f"{100 * noise['rate']:g} % " if noise.get("rate") else ""
    return f"{rate}{noise.get('name')} label noise"


def quoted(name: str) -> str:
    """A method's name in a sentence: one with a sign that an order has, as an arm's may, stands in quotes.

    >>> quoted("sgd"), quoted("a > b")
    ('sgd', '"a > b"')
    """
    return f'"{name}"' if set(name) & set(",;{}>") else name


def length_words(epochs: int | str) -> str:
    """`1 epoch`, `8 epochs`, `epochs by arm`."""
    if epochs == BY_ARM:
        return f"epochs {BY_ARM}"
    return counted(str(epochs), "epoch")


def task_labels(tasks: Sequence[dict[str, Any]]) -> list[str]:
    """A label for each task: data set, model, noise, and the number of epochs if it differs between tasks.

    If labels are still equal, the options that differ are added.
    """
    labels = _heads(tasks)
    for group in _alike(labels):
        values = [_task_texts(tasks[k]) for k in group]
        for name in telling(values):
            for k, own in zip(group, values, strict=True):
                labels[k] += f", {name} {own.get(name, '–')}"
    return labels


def set_apart_by(tasks: Sequence[dict[str, Any]]) -> list[str]:
    """The names of the options that differ between tasks of the same data set, model, noise and number of epochs."""
    groups = _alike(_heads(tasks))
    return sorted({name for group in groups for name in telling([_task_texts(tasks[k]) for k in group])})


def method_names(arms: Sequence[str | None], optimizers: Sequence[str]) -> list[str]:
    """What each setting belongs to in a comparison: its arm, or its optimizer without one.

    An arm of several optimizers is several: `cosine sgd` and `cosine lion`.
    """
    names = [arm or optimizer for arm, optimizer in zip(arms, optimizers, strict=True)]
    several = {name: len({o for n, o in zip(names, optimizers, strict=True) if n == name}) > 1 for name in names}
    return [f"{n} {o}" if several[n] else n for n, o in zip(names, optimizers, strict=True)]


def kind_of(arms: Iterable[str | None]) -> str:
    """What methods with these arms are, in words: `optimizer` without any, `arm` if each has one, else both.

    >>> kind_of([None, None]), kind_of(["a", "b"]), kind_of(["a", None])
    ('optimizer', 'arm', 'optimizer or arm')
    """
    having = {bool(arm) for arm in arms}
    return " or ".join(["optimizer"] * (having != {True}) + ["arm"] * (True in having))


def plural(kind: str) -> str:
    """`optimizers`, `arms`, `optimizers or arms`."""
    return " or ".join(f"{word}s" for word in kind.split(" or "))


def setting_labels(methods: Sequence[str], configs: Sequence[dict[str, Any]]) -> list[str]:
    """A label for each setting: the method and, if it has several settings, the options that differ."""
    values = [texts(config) for config in configs]
    labels = list(methods)
    for group in _alike(labels):
        follow = {f"optimizer.{name}" for name in followers([configs[k].get("optimizer", {}) for k in group])}
        for name in differing([values[k] for k in group]):
            for k in group if name not in follow else ():
                labels[k] += f", {name.removeprefix('optimizer.')} {values[k].get(name, '–')}"
    return labels


def _heads(tasks: Sequence[dict[str, Any]]) -> list[str]:
    several = len({task["epochs"] for task in tasks}) > 1
    return [
        f"{task['dataset']['name']}, {_model_words(task)}, {noise_words(task['noise'])}"
        + (f", {length_words(task['epochs'])}" if several else "")
        for task in tasks
    ]


def _model_words(task: dict[str, Any]) -> str:
    name: str = task["model"]["name"]
    return f"model {BY_ARM}" if name == BY_ARM else name


def _alike(labels: Sequence[str]) -> list[list[int]]:
    """The indices of the labels, grouped by label."""
    places: dict[str, list[int]] = {}
    for k, label in enumerate(labels):
        places.setdefault(label, []).append(k)
    return list(places.values())


def _task_texts(task: dict[str, Any]) -> Texts:
    """All values of a task as text, with a schedule's name under `schedule` and the precision even if it is `auto`."""
    values = {PRECISION: "auto", **texts(task)}
    if "schedule.name" in values:
        values["schedule"] = values.pop("schedule.name")
    return values


def telling(tasks: Sequence[Texts]) -> list[str]:
    """The names of the differing options that a reader needs.

    Options of a group whose choice differs, such as a schedule's milestones, and options that name code are left out,
    unless two tasks differ in nothing else.
    """
    names = differing(tasks)
    chosen = {name.removesuffix(".name") for name in names if name.endswith(".name") or "." not in name}

    def follows(name: str) -> bool:
        group, dot, option = name.partition(".")
        return option.startswith("_") or bool(dot and group in chosen)

    shown: list[str] = []
    for name in sorted(names, key=lambda name: (follows(name), name)):
        if not follows(name) or _distinct(tasks, [*shown, name]) > _distinct(tasks, shown):
            shown.append(name)
    return sorted(shown)


def _distinct(tasks: Sequence[Texts], names: Sequence[str]) -> int:
    return len({tuple(task.get(name) for name in names) for task in tasks})
