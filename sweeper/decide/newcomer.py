"""Newcomers to a published field: their runs follow the field's protocol, and vary in what is the optimizer's own."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeper.aggregate.grouping import plain
from sweeper.aggregate.task_config import own_schedules
from sweeper.config.arms import read_flags, take_files
from sweeper.config.grammar import word_key
from sweeper.config.grid import Grid
from sweeper.config.resolved import Cell
from sweeper.decide.arms import Arms, as_flags, cells_of, check_distinct, compose, read_words, shared_words
from sweeper.decide.field import Field, typed
from sweeper.report.provenance import identity_words, names_code
from sweeper.runs.identity import flat, identity_config
from sweeper.system.errors import BadInput
from sweeper.system.text import counted

_OWN = ("optimizer", "seed", "schedule")


def read_newcomers(
    words: Sequence[str],
    field: Field,
    most: int,
    chosen: Mapping[str, Mapping[str, float]] | None = None,
    untuned: bool = False,
) -> Arms:
    """The newcomers of a command line: its arms or, without any, the optimizer that it names.

    Args:
        most: seeds at the last look, of the field's.
        chosen: of each newcomer the values that its tuning chose, in place of those that are typed.
        untuned: their values are still to be chosen, so they may be the field's.

    Raises:
        BadInput: a newcomer isn't one setting, is one of the field's, or departs from its protocol; or the field's
            recipe can't be trained here.
    """
    asked = read_words(words)
    if chosen and not asked.arm and not take_files(asked.overrides)[0]:
        words = _with_values(words, next(iter(chosen.values())))
        asked = read_words(words)
    given = {word.partition("=")[0] for word in asked.overrides}
    arms = bool(asked.arm) or any(word.lstrip("+").startswith("arms=") for word in asked.overrides)
    if not arms and "optimizer" not in given:
        raise BadInput(f"{field.asked}: name the newcomer: optimizer=NAME, or arms")
    task = {key: value for key, value in field.task.config.items() if key not in ("data", *_OWN)}
    recipe = _words(task, given, field)
    schedule = _words({"schedule": field.task.config["schedule"]}, given, field)
    seeds = field.seeds[:most]
    alone = _compose([*recipe, *words], seeds, recipe, field)
    folders = [Path(asked.config_dir)] if asked.config_dir else []
    brings = {name: cell.config["optimizer"]["name"] in own_schedules(*folders) for name, cell in _first(alone).items()}
    flags = {}
    for name, flag in as_flags(alone).items():
        missing = [] if brings[name] else [word for word in schedule if word_key(word) not in _keys(alone, name)]
        flags[name] = " ".join([flag, *missing])
    if chosen:
        for name, flag in flags.items():
            flags[name] = " ".join(_with_values(read_flags([f"{name}: {flag}"])[0].overrides, chosen[name]))
    common = [*recipe, *shared_words(asked)]
    if not flags and not any(brings.values()):
        common += [word for word in schedule if word not in common]
    again = [*common, *(word for name, flag in flags.items() for word in ("--arm", f"{name}: {flag}"))]
    grid = _compose(again, seeds, [*recipe, *schedule], field)
    if grid.outputs.resolve().is_relative_to(field.folder.resolve()):
        raise BadInput(f"outputs={grid.outputs}: the field's runs lie there; choose another folder for the newcomer's")
    found = _named(grid, seeds, field)
    schedules = {name: brings.get(name, any(brings.values())) for name in found}
    for name, by_seed in found.items():
        _check_protocol(name if flags else "", by_seed[seeds[0]], field, schedules[name], {*given, *_keys(grid, name)})
        if not untuned:
            _check_new(name, by_seed[seeds[0]], field)
    check_distinct({name: by_seed[seeds[0]] for name, by_seed in found.items()})
    return Arms(grid.outputs, found, flags, common, seeds, field)


def _with_values(words: Sequence[str], values: Mapping[str, float]) -> list[str]:
    """The words with an optimizer's values instead of those that are typed."""
    names = [f"optimizer.{name}" for name in values]
    others = [word for word in words if word_key(word) not in names]
    return [*others, *(f"{name}={value!r}" for name, value in zip(names, values.values(), strict=True))]


def _words(config: dict[str, Any], given: set[str], field: Field) -> list[str]:
    """What the field's records fix, as overrides; those that are given agree with it."""
    words = identity_words(config)
    if bad := [word for word in words if names_code(word)]:
        raise BadInput(f"{field.asked}: its recipe names code: {bad[0]}; only options are taken from records")
    return [word for word in words if word.partition("=")[0] not in given]


def _compose(words: Sequence[str], seeds: Sequence[int], recipe: Sequence[str], field: Field) -> Grid:
    try:
        return compose(words, seeds)
    except BadInput as error:
        if any(str(error).startswith(word.partition("=")[0]) for word in recipe):
            raise BadInput(f"{field.asked}: its recipe can't be trained here: {error}") from error
        raise


def _first(grid: Grid) -> dict[str, Cell]:
    """A run of each arm; of the command line itself, by no name, if it has none."""
    by_directory = {cell.directory: cell for cell in grid.cells}
    return {name: by_directory[runs[0]] for name, runs in grid.arms.items()} or {"": grid.cells[0]}


def _named(grid: Grid, seeds: Sequence[int], field: Field) -> dict[str, dict[int, Cell]]:
    """The runs of each newcomer by seed. Without arms its name is the optimizer's, with "new" if the field has it."""
    if grid.arms:
        found = cells_of(grid, seeds)
        if taken := [name for name in found if name in field.runs]:
            raise BadInput(f"arm '{taken[0]}': the field has an optimizer of this name; give the arm another")
        return found
    name = grid.cells[0].config["optimizer"]["name"]
    if len(grid.cells) != len(seeds):
        raise BadInput(f"{counted(len(grid.cells) // len(seeds), 'setting')}: a newcomer is one; give several as arms")
    return {f"new {name}" if name in field.runs else name: {cell.config["seed"]: cell for cell in grid.cells}}


def _keys(grid: Grid, name: str) -> set[str]:
    return {word_key(word) for word in grid.words.get(name, ())}


def _check_protocol(arm: str, cell: Cell, field: Field, own_schedule: bool, given: set[str]) -> None:
    """Check that a newcomer is trained as the field was.

    Args:
        own_schedule: its optimizer's YAML chooses a schedule, which then isn't compared.
        given: the keys of what the user wrote.
    """
    left_out = ("data", "optimizer", "seed", *(("schedule",) if own_schedule else ()))
    here, there = (
        dict(flat(plain({key: node for key, node in config.items() if key not in left_out})))
        for config in (identity_config(cell.config), field.task.config)
    )
    for name in sorted({*here, *there}):
        a, b = here.get(name), there.get(name)
        if a == b:
            continue
        key = name.removesuffix(".name")
        if key in given or name in given:
            of = f"arm '{arm}': " if arm else ""
            values = field.values(key)
            how = "leave it out" if len(values) == 1 else f"give one of these{', beside the arms' * bool(arm)}"
            has = f"the field has {' or '.join(values)}, and its protocol is kept"
            raise BadInput(f"{of}{key}={typed(a)}: {has}; {how}")
        raise BadInput(
            f"{field.asked}: its runs are of another recipe: {name} is {typed(b)} there and would be {typed(a)} here"
        )


def _check_new(name: str, cell: Cell, field: Field) -> None:
    identity = json.dumps(identity_config({**cell.config, "seed": None}), sort_keys=True)
    for optimizer, runs in field.runs.items():
        if any(run.configuration == identity for run in runs.values()):
            raise BadInput(f"{name}: is {optimizer} of the field itself, with its values; change one to compare them")
