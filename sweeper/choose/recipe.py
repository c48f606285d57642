"""What of a search's recipe its preset must name beside data set, model, label noise and length: batch size, schedule,
limits, and whatever else the search's command line changed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sweeper.aggregate.search import chosen_settings
from sweeper.aggregate.tasks import Task
from sweeper.config.grammar import as_word
from sweeper.config.grid import compose_grid
from sweeper.runs.checks import is_number
from sweeper.runs.identity import flat, identity_config
from sweeper.system.errors import BadInput

_NAMED_ELSEWHERE = ("optimizer", "seed", "tag", "epochs", "device", "noise")


class Recipe(NamedTuple):
    """What differs from what data set, model and optimizers compose to.

    Attributes:
        schedule: its choice, if that is another than the optimizers bring, or "".
        values: by dotted name: true, false, numbers and lists of numbers.
        unnamed: what isn't copied out of records, `name=value`.
    """

    schedule: str
    values: dict[str, Any]
    unnamed: list[str]


def recipe_of(task: Task, named: Mapping[str, str], schedules: Sequence[str], where: Sequence[str]) -> Recipe:
    """The recipe that a search's settings share.

    Args:
        named: the choices of data set and model, by group; the options of a group that isn't there are left out.
        schedules: the choices that there are.
        where: the words that add folders of config groups.
    """
    schedule, found = "", list(_differences(task, named, where))
    others = {wanted["schedule.name"] for wanted, _ in found if "schedule.name" in wanted}
    if len(others) == 1 and others <= set(schedules):
        schedule = others.pop()
        found = list(_differences(task, {**named, "schedule": schedule}, where))
    values: dict[str, Any] = {}
    unnamed: dict[str, None] = {}
    for wanted, known in found:
        if "schedule.name" in wanted:  # one's own that isn't there, with all its options
            unnamed[f"schedule={wanted['schedule.name']}"] = None
        for name, value in wanted.items():
            if name in known and _is_plain(value):
                values[name] = value
            elif not name.startswith("schedule.") or "schedule.name" not in wanted:
                unnamed[f"{name}={value}"] = None
    return Recipe(schedule, values, list(unnamed))


def _differences(
    task: Task, named: Mapping[str, str], where: Sequence[str]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """For each chosen setting the values that it has in place of composed ones, and the options that can be set.

    Identities have no nulls, and no option has a default that is changed by giving null.

    Raises:
        BadInput: a setting composes no more, so that what its search's command line changed can't be told.
    """
    for setting in chosen_settings(task):
        choices = [*named.items(), ("optimizer", setting.config["optimizer"]["name"])]
        words = [f"{group}={as_word(choice)}" for group, choice in choices]
        try:
            (cell,) = compose_grid([*where, *words, "dataset.root=."], "choose").cells
        except BadInput as error:
            why = f"what its search changed can't be told, since {' '.join(words)} no longer composes ({error})"
            raise BadInput(f"{setting.runs[0].path}: {why}; mend that, or leave out --write") from None
        own, usual = dict(flat(setting.config)), dict(flat(identity_config(cell.config)))
        told = [name for name, value in own.items() if _is_told(name, named) and value != usual.get(name)]
        yield {name: own[name] for name in told}, dict(flat(cell.config))


def _is_told(name: str, named: Mapping[str, str]) -> bool:
    group = name.partition(".")[0]
    if group in _NAMED_ELSEWHERE or name == "dataset.validation_fraction":
        return False
    return group in named if group in ("dataset", "model") else True


def _is_plain(value: Any) -> bool:
    """Whether a record's value may be copied: no text, which may name code or be an interpolation."""
    if isinstance(value, list):
        return all(map(is_number, value))
    return isinstance(value, bool) or is_number(value)
