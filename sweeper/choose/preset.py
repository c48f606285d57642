"""Builds the preset of a search's choice: the comparison of what was chosen, on what it was tuned for."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeper.aggregate.search import chosen_settings, searched_values, tried_settings
from sweeper.aggregate.tasks import Setting, Task
from sweeper.config.grammar import as_word
from sweeper.config.preset import CONF, Places, check_values, files_to_remove, preset_files, set_option
from sweeper.config.schema import PRECISIONS
from sweeper.config.search_path import searchpath
from sweeper.config.tuned import recipe_hash
from sweeper.config.widening import comparing_seeds
from sweeper.runs.checks import is_number
from sweeper.runs.identity import PRECISION, named_precision
from sweeper.runs.layout import CHOSEN_FILE
from sweeper.runs.tuned_on import IMAGES
from sweeper.system.errors import BadInput
from sweeper.system.text import few, printable, shortened

if TYPE_CHECKING:
    from sweeper.choose.recipe import Recipe


def build_preset(
    task: Task, options: list[str], places: Places, name: str, source: list[str], replace: bool
) -> tuple[dict[Path, bytes], list[Path]]:
    """The preset's files, and those of another choice that go."""
    folder = places.folder
    if task.has_arms:
        raise BadInput(f"--write {folder}: a preset has no arms; put the values of {CHOSEN_FILE} into the arms")
    if folder.resolve().name == "optimizer":
        raise BadInput(f"{folder}: defaults aren't written to; give a folder for presets, e.g. --write conf")
    values = {}
    for setting in chosen_settings(task):
        tried = tried_settings(task, setting.optimizer)
        searched = dict.fromkeys(name for name in options if any(name in plain_values(s, options) for s in tried))
        searched |= plain_values(setting, options)
        values[setting.optimizer] = check_values(places, setting.optimizer, setting.config["optimizer"], searched)
    recipes = {setting.optimizer: recipe_hash(setting.config) for setting in chosen_settings(task)}
    settings = {
        optimizer: own | {"tuned": _fact(task, places, own, recipes[optimizer])} for optimizer, own in values.items()
    }
    seeds = comparing_seeds({run.values["seed"] for run in task.runs()})
    axes = {"seed": ",".join(map(str, seeds)), "optimizer": ",".join(map(as_word, settings))}
    comparison = {
        "epochs": task.config["epochs"],
        "save_model": False,
        "hydra": {"mode": "MULTIRUN", "sweeper": {"params": axes}},
    }
    choices, recipe = _choices(task, places), _recipe(task, places)
    if recipe.schedule:
        choices["schedule"] = recipe.schedule
    for option, value in recipe.values.items():
        set_option(comparison, option, value)
    if "noise" in choices and (drawn := _drawn_noise(task.config["noise"])):
        comparison["noise"] = drawn
    files = preset_files(places, name, settings, choices, comparison, list(map(printable, source)))
    return files, files_to_remove(folder, name, files, replace)


def _fact(task: Task, places: Places, values: dict[str, Any], recipe: str) -> dict[str, Any]:
    """That the values were chosen by validation, and where. Of the records' texts there are only known names."""
    images = {"images": task.images()} if IMAGES.fullmatch(task.images()) else {}
    fact = {"chosen_by": "validation", "epochs": task.config["epochs"], **_known_groups(task, places)}
    fact |= {"recipe": recipe, **images}
    return fact | {"values": values}


def _known_groups(task: Task, places: Places) -> dict[str, str]:
    """Data set and model by config group, where they are choices of the places: a record's text alone isn't copied."""
    names = {group: task.config[group]["name"] for group in ("dataset", "model")}
    return {group: name for group, name in names.items() if name in places.names(group)}


def _recipe(task: Task, places: Places) -> "Recipe":
    """What else the search's command line changed."""
    from sweeper.choose.recipe import recipe_of  # composes, which is Hydra's

    where = [searchpath(*places.others[1:], *([places.folder] if places.folder.is_dir() else []))]
    return recipe_of(task, _known_groups(task, places), places.names("schedule"), where)


def _choices(task: Task, places: Places) -> dict[str, str]:
    """The choice of each group that the preset names; of label noise none for right labels."""
    choices, noise, kind = _known_groups(task, places), task.config["noise"], _kind(task)
    choice = noise["name"]
    usual = choice == kind or places.first("noise", choice) != CONF  # sweeper's own choices are named by their kind
    if usual and choice in places.names("noise") and (kind == "human" or _drawn_noise(noise)):
        choices["noise"] = choice
    return choices


def _kind(task: Task) -> str:
    return str(task.config["noise"].get("kind", task.config["noise"]["name"]))


def _drawn_noise(noise: dict[str, Any]) -> dict[str, Any]:
    """The options of label noise that is drawn; empty for labels from a file, whose path isn't copied, so that the
    command refuses to train until it is given."""
    drawn = {name: value for name, value in noise.items() if name in ("rate", "seed", "own_class")}
    plain = all(isinstance(value, bool) or is_number(value) for value in drawn.values())
    return drawn if drawn.get("rate") and plain and noise.get("file") is None else {}


def describe_unnamed(task: Task, places: Places) -> str:
    """What the search had and the preset can't name, as a sentence; "" if nothing."""
    had, named = ["dataset", "model", *(["noise"] if _kind(task) != "none" else [])], _choices(task, places)
    unnamed = [f"{group}={task.config[group]['name']}" for group in had if group not in named]
    unnamed += _recipe(task, places).unnamed
    told = f"the preset can't name the search's {few(unnamed)}; give it on the command line, as for the search"
    return printable(told) if unnamed else ""


def preset_command(task: Task, places: Places, name: str) -> str:
    """What trains with the preset. Of the records' texts there are only names of groups' choices."""
    chosen = [*_choices(task, places).items(), *(("optimizer", setting.optimizer) for setting in chosen_settings(task))]
    where = ["--config-dir", str(places.folder)]
    if any(places.first(*pair) in places.others[1:] for pair in chosen):
        where = [searchpath(*places.others[1:], places.folder)]
    words = ["python", "-m", "sweeper.train", "-m", *where, f"experiment={name}"]
    if (precision := named_precision(task.config)) in PRECISIONS:
        words += [f"{PRECISION}={precision}"]
    return shlex.join(words)


def plain_values(setting: Setting, options: list[str]) -> dict[str, Any]:
    """A setting's values of the searched options.

    Raises:
        BadInput: a value names code or is an interpolation; a configuration that contains it would evaluate it.
    """
    values = searched_values(setting, options)
    for name, value in values.items():
        if not name.isidentifier() or name.startswith("_") or "${" in str(value):
            where = f"{setting.runs[0].path}: optimizer.{name}={shortened(str(value))}"
            raise BadInput(f"{where}: can't be chosen; a choice is among plain values of an optimizer's options")
    return values
