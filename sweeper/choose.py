"""`python -m sweeper.choose`: each optimizer's best setting of a hyperparameter search, by validation accuracy."""

import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sweeper.aggregate.statistics import mean
from sweeper.aggregate.tables import to_csv
from sweeper.aggregate.tasks import Setting, Task, differing, epochs_words, group_tasks, texts
from sweeper.runs.checks import NUMBER
from sweeper.runs.layout import CHOSEN_FILE, SEARCH_FILE
from sweeper.runs.results import read_results
from sweeper.system.command import Parser, exit_code_of, writing
from sweeper.system.errors import BadInput, nearest
from sweeper.system.files import make_folder, write_atomically
from sweeper.system.terminal import say
from sweeper.system.text import printable, shortened


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code: 0 when a choice was made, 2 for bad input."""

    def command() -> None:
        arguments = _parser().parse_args(argv)
        say(choose(arguments.outputs, arguments.into, arguments.write), end="")

    return exit_code_of(command)


def choose(outputs: Sequence[str], into: str | None = None, write: str | None = None) -> str:
    """Choose for each optimizer the setting with the highest mean final validation accuracy. Test accuracy is not used.

    Writes `search.csv`, with every trial, and `chosen.yaml`.

    Args:
        into: the folder to write to; None is the first of `outputs`.
        write: a folder of optimizers' YAML files, such as `conf/optimizer`, to write the chosen values to.

    Returns:
        The text of `chosen.yaml`, to be printed.

    Raises:
        BadInput: the runs contain no search or several, a file in `write` has no line for a value, or a record, which
            may come from anyone, contains a value that must not be copied into a configuration.
    """
    task = the_search(group_tasks(read_results(outputs).runs), outputs)
    options = searched_options(task)
    folder = Path(into or outputs[0])
    columns = ["optimizer", *options, "n", "n_diverged", "n_failed", "n_pruned", "final_val_accuracy", "chosen"]
    text = describe_choice(task, options)
    files = {folder / SEARCH_FILE: to_csv(columns, _trials(task, options)), folder / CHOSEN_FILE: text.encode()}
    if write is not None:
        source = printable(f"tuned: {(folder / SEARCH_FILE).as_posix()}")
        for setting in chosen_settings(task):
            file = _file_of(setting.optimizer, Path(write))
            tried = [s for s in task.settings if s.optimizer == setting.optimizer]
            null = dict.fromkeys(name for name in options if any(name in _values(s, options) for s in tried))
            files[file] = _with_values(file, null | _values(setting, options), source)
    with writing(folder, "choose another folder by --into DIR" + (" or --write DIR" if write is not None else "")):
        make_folder(folder)
        for file, content in files.items():
            write_atomically(file, content)
    return text


def the_search(tasks: Sequence[Task], outputs: Sequence[str]) -> Task:
    where = ", ".join(outputs)
    searches = [task for task in tasks if task.chosen_by == "validation"]
    if len(searches) == 1:
        return searches[0]
    if searches:
        labels = "; ".join(task.label for task in searches)
        raise BadInput(f"{where}: there are several searches ({labels}); name a folder that has one of them")
    raise BadInput(
        f"{where}: no optimizer has several completed settings with validation images held out; "
        "search by experiment=tune or experiment=search, or with dataset.validation_fraction=0.1"
    )


def searched_options(task: Task) -> list[str]:
    """The searched options of the optimizers, e.g. `["lr", "weight_decay"]`."""
    configs: dict[str, list[dict[str, str]]] = {}
    for setting in task.settings:
        configs.setdefault(setting.optimizer, []).append(texts(setting.config["optimizer"]))
    return sorted({name for group in configs.values() for name in differing(group)})


def chosen_settings(task: Task) -> list[Setting]:
    """The chosen setting of each optimizer that has completed a trial, sorted by optimizer."""
    return sorted((s for s in task.compared if s.final()), key=lambda setting: setting.optimizer)


def describe_choice(task: Task, options: list[str]) -> str:
    """The chosen values as YAML; comments state the number of trials and the values at the edge of the grid."""
    lines = [f"# {task.label}, {epochs_words(task)}: of each optimizer's trials the one of highest final"]
    lines += ["# accuracy on validation images, which are held out from training and are no test images."]
    for setting in chosen_settings(task):
        tried = [s for s in task.settings if s.optimizer == setting.optimizer]
        pruned = sum(_is_pruned(s) for s in tried)
        done = sum(bool(s.scores()) for s in tried) + pruned
        some = f"{done} of " if done < len(tried) else ""
        percent = f"{100 * validation_accuracy(setting):.2f} %"
        told = f"{len(tried)} trials{f', {pruned} pruned' if pruned else ''}"
        lines += [f"{_yaml(setting.optimizer)}:  # {percent}, the best of {some}{told}"]
        edges = at_edge(task, setting, options)
        for name, value in _values(setting, options).items():
            edge = f"  # the {edges[name]} tried: a better one may lie beyond" if name in edges else ""
            lines += [f"  {_yaml(name)}: {_yaml(value)}{edge}"]
    return "\n".join([*lines, ""])


def at_edge(task: Task, chosen: Setting, options: list[str]) -> dict[str, str]:
    """The options whose chosen value is the `highest` or `lowest` among the optimizer's finished trials."""
    tried = [s for s in task.settings if s.optimizer == chosen.optimizer and (s.scores() or _is_pruned(s))]
    done = [_values(s, options) for s in tried]
    found = {}
    for name, value in _values(chosen, options).items():
        values = [trial[name] for trial in done if _is_number(trial.get(name))]
        if _is_number(value) and min(values) < max(values) and value in (min(values), max(values)):
            found[name] = "highest" if value == max(values) else "lowest"
    return found


def validation_accuracy(setting: Setting) -> float:
    """The mean final validation accuracy, in [0, 1], of a setting's completed runs; it must have one."""
    return mean([run.values["final_val_accuracy"] for run in setting.runs if run.values["status"] == "completed"])


def _is_pruned(setting: Setting) -> bool:
    """Whether a search pruned the setting and no run of it was completed later."""
    return bool(setting.row["n_pruned"]) and not setting.scores()


def _trials(task: Task, options: list[str]) -> list[dict[str, Any]]:
    chosen = {setting.label for setting in chosen_settings(task)}
    return [
        {"optimizer": setting.optimizer, **_values(setting, options), "chosen": setting.label in chosen}
        | {name: setting.row[name] for name in ("n", "n_diverged", "n_failed", "n_pruned")}
        | {"final_val_accuracy": validation_accuracy(setting) if setting.final() else None}
        for setting in task.settings
    ]


def _values(setting: Setting, options: list[str]) -> dict[str, Any]:
    """A setting's values of the searched options.

    Raises:
        BadInput: a value names code or is an interpolation; a configuration that contains it would evaluate it.
    """
    values = {name: setting.config["optimizer"][name] for name in options if name in setting.config["optimizer"]}
    for name, value in values.items():
        if not name.isidentifier() or name.startswith("_") or "${" in str(value):
            where = f"{setting.runs[0].path}: optimizer.{name}={shortened(str(value))}"
            raise BadInput(f"{where}: can't be chosen; a choice is among plain values of an optimizer's options")
    return values


def _file_of(optimizer: str, folder: Path) -> Path:
    """An optimizer's YAML in `folder`. The name comes from a record, so it only selects among the existing files.

    Raises:
        BadInput: the folder has no such file.
    """
    names = sorted(file.stem for file in folder.glob("*.yaml") if file.is_file())
    if optimizer not in names:
        near = nearest(optimizer, names) if names else "--write wants a folder of <optimizer>.yaml"
        raise BadInput(f"{folder}: has no file of the optimizer {optimizer!r}; {near}")
    return folder / f"{optimizer}.yaml"


def _with_values(file: Path, values: dict[str, Any], source: str) -> bytes:
    """An optimizer's YAML with new numbers, each with its source in a comment; everything else is unchanged.

    Raises:
        BadInput: a value isn't a number, or the file has no number to replace.
    """
    text = file.read_text(encoding="utf-8")
    before = _read_yaml(text)
    for name, value in values.items():
        line = re.compile(rf"^{re.escape(name)}:[^#\n]*(?:# *(.*?)(?:; )?(?:tuned: .*)?)?$", re.MULTILINE)
        if name not in before or (found := line.search(text)) is None:
            raise BadInput(f"{file}: has no line '{name}: …' to write to; add one")
        if not _is_alike(value, before[name]):
            numbers = f"only numbers are written, in place of numbers such as {_yaml(before[name])}"
            raise BadInput(f"{file}: {name}: {shortened(_yaml(value))} was chosen, but {numbers}; write it yourself")
        comment = f"{found[1]}; {source}" if found[1] else source
        text = f"{text[: found.start()]}{f'{name}: {_yaml(value)}':<24}# {comment}{text[found.end() :]}"
    if _read_yaml(text) != before | values:
        raise BadInput(f"{file}: can't be written to; it must be YAML with each of {', '.join(values)} in one line")
    return text.encode()


def _read_yaml(text: str) -> dict[str, Any]:
    """The mapping in a YAML text; empty if it isn't a mapping."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_alike(value: Any, there: Any) -> bool:
    """Whether both are numbers, or lists of as many numbers."""
    if isinstance(value, list) and isinstance(there, list):
        return len(value) == len(there) and all(map(_is_number, value + there))
    return _is_number(value) and _is_number(there)


def _is_number(value: Any) -> bool:
    """Whether a value is a finite number in a table's range; booleans aren't."""
    return value is not None and NUMBER.fits(value)


def _yaml(value: Any) -> str:
    """A value as one line of YAML that reads back as the same value."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=math.inf)
    return text.removesuffix("...\n").strip()


def _parser() -> Parser:
    parser = Parser(
        "choose",
        "Of a search, as by experiment=tune or experiment=search, choose each optimizer's setting of highest final "
        "validation accuracy. "
        f"Writes {SEARCH_FILE}, every trial, and {CHOSEN_FILE}, which it prints too.",
    )
    parser.add_argument("--into", metavar="DIR", help="where both files go (default: the first folder)")
    parser.add_argument("--write", metavar="DIR", help="also put the values into DIR/<optimizer>.yaml")
    return parser


if __name__ == "__main__":
    sys.exit(main())
