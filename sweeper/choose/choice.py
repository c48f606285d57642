"""Each optimizer's best setting of a hyperparameter search by validation accuracy, as files and as a preset."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sweeper.aggregate.search import (
    CONFIRMED,
    CONFIRMING_SEEDS,
    SEARCH_SEEDS,
    accuracy_columns,
    at_edge,
    chosen_settings,
    confirmed_accuracies,
    is_done,
    is_pruned,
    searched_accuracy,
    searched_options,
    searches,
    tried_settings,
)
from sweeper.aggregate.search_axes import PRODUCT
from sweeper.aggregate.tables import to_csv
from sweeper.aggregate.tasks import Task, group_tasks, task_title
from sweeper.aggregate.tuning import COLUMNS as TUNING_COLUMNS
from sweeper.aggregate.tuning import describe_tuning, edge_advice, tuning_rows, tunings
from sweeper.choose.preset import build_preset, describe_unnamed, plain_values, preset_command
from sweeper.config.preset import Places, to_yaml
from sweeper.runs.layout import CHOSEN_FILE, SEARCH_FILE, TUNING_FILE
from sweeper.runs.results import read_results
from sweeper.runs.rows import ARM
from sweeper.runs.status import Status
from sweeper.system.command import writing
from sweeper.system.errors import BadInput
from sweeper.system.files import is_written, make_folder, remove_file, write_together
from sweeper.system.terminal import tell
from sweeper.system.text import counted, printable

MOST_DAMAGED = 10  # runs that are told


def choose(
    outputs: Sequence[str],
    into: str | None = None,
    write: str | None = None,
    name: str = "tuned",
    replace: bool = False,
    config_dir: str | None = None,
) -> str:
    """Choose for each optimizer the setting of highest mean final validation accuracy; test accuracy has no part.

    Writes `search.csv`, with every trial, `tuning.csv`, with what fewer trials would give, and `chosen.yaml`.

    Args:
        write: a folder for `--config-dir`, which gets the chosen values as the preset `name`; None: no preset.
        replace: another choice under this name.
        config_dir: a folder with YAML of the search's own choices.

    Returns:
        What to print: `chosen.yaml`, how each optimizer was tuned, and the command that trains with the preset.

    Raises:
        BadInput: there isn't one search among the runs, the preset has no place, or the records, which may be
            anybody's, hold what isn't to be copied into a configuration.
    """
    (task, asides), folder = read_search(outputs), Path(into or outputs[0])
    places = None if write is None else _places(write, config_dir)
    with writing(folder, "choose another folder by --into DIR" + (" or --write DIR" if places else "")):
        said = write_choice(task, folder, places, name, replace)
    for line in asides:
        tell(line)
    if places and (unnamed := describe_unnamed(task, places)):
        tell(unnamed)
    for one in tunings(task):
        if (one.edges and one.confirmed) or one.is_best_unconfirmed:
            tell(printable(edge_advice(one)))
    return said


def write_choice(
    task: Task,
    folder: Path,
    places: Places | None = None,
    name: str = "tuned",
    replace: bool = False,
    keep: bool = False,
) -> str:
    """Write the files of a choice into `folder`, unless they are there already; other arguments and result as of
    `choose`.

    Args:
        places: of the preset; None: no preset.
        keep: the preset's values of optimizers that aren't chosen here.

    Raises:
        BadInput: as `choose`.
        OSError: a file can't be written.
    """
    options = searched_options(task)
    columns = ["optimizer", *options, "n", "n_diverged", "n_failed", "n_pruned", "final_val_accuracy", "chosen"]
    columns += [ARM] * task.has_arms
    if any(run.confirms for run in task.runs()):  # then "final_val_accuracy" is of the search's own seeds alone
        columns += [SEARCH_SEEDS, CONFIRMED, CONFIRMING_SEEDS]
    text = describe_choice(task, options)
    tuned = tunings(task)
    said = text + "".join(printable(f"# {describe_tuning(one)}") + "\n" for one in tuned)
    files = {
        folder / SEARCH_FILE: to_csv(columns, _trials(task, options)),
        folder / TUNING_FILE: to_csv(TUNING_COLUMNS, tuning_rows(tuned)),
        folder / CHOSEN_FILE: text.encode(),
    }
    old: list[Path] = []
    if places:
        source = printable(f"{task_title(task)}; every trial: {(folder / SEARCH_FILE).as_posix()}")
        preset, old = build_preset(task, options, places, name, [source, *map(describe_tuning, tuned)], replace)
        files |= preset
        said += f"\nwritten: {', '.join(map(str, preset))}\n{preset_command(task, places, name)}\n"
    new = {file: content for file, content in files.items() if not is_written(file, content)}
    for file in new:
        make_folder(file.parent)
    write_together(new)
    for file in () if keep else old:
        remove_file(file)
    return said


def check_preset(outputs: Sequence[str], write: str, name: str, replace: bool, config_dir: str | None) -> None:
    """Raises BadInput, before a confirmation trains, if the preset of today's choice couldn't be written."""
    task, _ = read_search(outputs)
    build_preset(task, searched_options(task), _places(write, config_dir), name, [""], replace)


def _places(write: str, config_dir: str | None) -> Places:
    return Places(Path(write), None if config_dir is None else Path(config_dir))


def read_search(outputs: Sequence[str], optimizers: Collection[str] = ()) -> tuple[Task, list[str]]:
    """The search among the runs, of some optimizers alone, of none given all; and in a line each which of its runs were
    trained again, and which runs can't be read.

    Raises:
        BadInput: there isn't one, or it was confirmed on other images.
    """
    results = read_results(outputs)
    kept = [run for run in results.runs if not optimizers or run.values.get("optimizer") in optimizers]
    task = the_search(group_tasks(kept), outputs)
    settings, images = {run.configuration for run in task.runs()}, task.images()
    for run in kept:
        if run.confirms and run.configuration in settings and images and run.conditions.get("data", images) != images:
            told = f"confirms on other images (hash {run.conditions['data']}) than the search had (hash {images})"
            raise BadInput(f"{run.path}: {told}; move it away, put the search's back, and confirm again")
    bad = [run for run in results.runs if run.status is Status.DAMAGED]
    lines = [f"{run.path}: {run.values['error']}; {run.mend}" for run in bad[:MOST_DAMAGED]]
    lines += [f"{counted(len(bad) - MOST_DAMAGED, 'more damaged run')}"] * (len(bad) > MOST_DAMAGED)
    return task, [*filter(None, [results.repeats_of(task.runs())]), *lines]


def the_search(tasks: Sequence[Task], outputs: Sequence[str]) -> Task:
    where = ", ".join(outputs)
    found = searches(tasks)
    if len(found) == 1:
        return found[0]
    if found:
        labels = "; ".join(task.label for task in found)
        raise BadInput(f"{where}: there are several searches ({labels}); name a folder that has one of them")
    raise BadInput(
        f"{where}: no optimizer has several completed settings with validation images held out; "
        "search by experiment=tune or experiment=search, or with dataset.validation_fraction=0.1"
    )


def describe_choice(task: Task, options: list[str]) -> str:
    """The chosen values as YAML; comments tell how many trials there were, and which values lie at the grid's edge."""
    lines = [f"# {task_title(task)}: of each {task.noun}'s trials the one of highest final"]
    lines += ["# accuracy on validation images, which are held out from training and are no test images."]
    for setting in chosen_settings(task):
        tried = tried_settings(task, setting.optimizer)
        pruned, done = sum(map(is_pruned, tried)), sum(map(is_done, tried))
        some = f"{done} of " if done < len(tried) else ""
        accuracy, how = searched_accuracy(setting), "the best"
        if confirmed := confirmed_accuracies(task, setting.optimizer):
            accuracy = confirmed[setting.label]
            seeds = " and ".join(map(str, sorted(task.confirmed_by[setting.optimizer])))
            how = f"with seeds {seeds}, the best of {len(confirmed)} run again,"
        percent = f"{100 * accuracy:.2f} %"
        told = f"{counted(len(tried), 'trial')}{f', {pruned} pruned' if pruned else ''}"
        lines += [f"{to_yaml(setting.optimizer)}:  # {percent}, {how} of {some}{told}"]
        for trial in tried:
            plain_values(trial, options)  # none may hold what isn't to be copied
        edges = at_edge(task, setting, options)
        for name, value in plain_values(setting, options).items():
            edge = f"  # the {edges[name]} tried: a better one may lie beyond" if name in edges else ""
            if name == "weight_decay" and PRODUCT in edges:
                edge = f"  # {PRODUCT} is the {edges[PRODUCT]} tried: a better one may lie beyond"
            lines += [f"  {to_yaml(name)}: {to_yaml(value)}{edge}"]
    return "\n".join([*lines, ""])


def _trials(task: Task, options: list[str]) -> list[dict[str, Any]]:
    chosen = {setting.label for setting in chosen_settings(task)}
    return [
        {"optimizer": setting.row["optimizer"], **plain_values(setting, options), "chosen": setting.label in chosen}
        | {ARM: setting.arm}
        | {name: setting.row[name] for name in ("n", "n_diverged", "n_failed", "n_pruned")}
        | accuracy_columns(setting)
        for setting in task.settings
    ]
