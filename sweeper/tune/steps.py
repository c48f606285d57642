"""What `sweeper.tune` carries out: the words of each step for `sweeper.train`, and where the runs lie."""

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.aggregate.task_config import task_configs
from sweeper.config.command_line import read_command_line
from sweeper.config.factors import FACTORS
from sweeper.config.grammar import as_word, word_key
from sweeper.config.grid import Grid, compose_grid
from sweeper.config.preset import Places, check_name, check_values, files_to_remove
from sweeper.config.search_path import search_in, searchpath
from sweeper.config.widening import COMPARED, comparing_seeds, confirming_seeds
from sweeper.datasets.here import ImagesHere
from sweeper.runs.access import check_readable, check_writable, existing_folder
from sweeper.runs.identity import identity_config, is_identity, run_name
from sweeper.system.errors import BadInput
from sweeper.system.text import counted, times
from sweeper.train.search.widen import widen
from sweeper.tune.search import BEST, PRESET, tuning_folder, unfinished

NAME = "tuned"  # of the preset
# What isn't for every step, with what to do instead.
_FIXED = {
    "experiment": f"it tunes by {PRESET}; give that preset's options as words",
    "seed": "search, confirmation and comparison have seeds of their own; leave it out, --seeds says how many compare",
    "seeds": "--seeds N says how many seeds compare",
    "rerun": "every step would train again; give another folder, outputs=DIR",
    "hydra.searchpath": "name the folder by --config-dir DIR",
    "arms": "a preset has no arms; tune optimizers, or arms by experiment=tune hydra.sweeper.extensions=0",
}
_OF_THE_SEARCH = (*FACTORS, "dataset.validation_fraction", "optimizer")
_SWEEPER = ("hydra.sweeper", "hydra/sweeper")


@dataclass(frozen=True)
class Options:
    """The command's own options.

    Attributes:
        confirm: of each optimizer the settings that are run again.
        seeds: of the comparison.
        write: the folder of the preset; None: beside the search.
        replace: another choice under this name in `write`.
    """

    confirm: int = BEST
    seeds: int = COMPARED
    write: str | None = None
    name: str = NAME
    replace: bool = False


@dataclass(frozen=True)
class Steps:
    """A search, its confirmation and the comparison.

    Attributes:
        outputs: the folder of the comparison.
        folder: of search and confirmation.
        optimizers: in the order of the command line.
        grid: the search's, as its records extend it.
        search: the words for `sweeper.train`.
        placing: those that say where and how a run is trained, for the confirmation.
        comparison: the words for `sweeper.train`.
        seeds: of the comparison.
        places: where the preset is written, and where choices are looked for.
    """

    outputs: Path
    folder: Path
    optimizers: list[str]
    grid: Grid
    search: list[str]
    placing: list[str]
    comparison: list[str]
    seeds: list[int]
    places: Places
    options: Options

    def describe(self) -> list[str]:
        """What will be trained, in two lines."""
        done = len(self.grid.cells) - len(unfinished(self.grid))
        runs = Counter(str(cell.config["optimizer"]["name"]) for cell in self.grid.cells)
        grows = ""
        if self.grid.widening:
            grows = f"; a grid grows while its best run lies on the edge, {times(self.grid.widening.most)} at most"
        searching, again, comparing = self.runs().values()
        best = f"the {self.options.confirm} best" + " of each" * (len(runs) > 1)
        return [
            f"search: {counted(searching, 'run')}{f' ({done} done already)' if done else ''}{_of_each(runs)}, "
            f"{_seeds(_searching(self.grid))}{grows}; in {self.folder}/",
            f"confirmation: {counted(again, 'run')}, {best} with {_seeds(confirming_seeds(_searching(self.grid)))}; "
            f"comparison: {counted(comparing, 'run')}, {_seeds(self.seeds)}; in {self.outputs}/",
        ]

    def runs(self) -> dict[str, int]:
        """How many runs each step has, if no grid grows."""
        optimizers = len(self.optimizers)
        again, comparing = optimizers * self.options.confirm * 2, optimizers * len(self.seeds)
        return {"search": len(self.grid.cells), "confirmation": again, "comparison": comparing}


def plan_steps(words: Sequence[str], options: Options) -> Steps:
    """The steps of a command line; nothing is started or written.

    Raises:
        BadInput: a word is wrong or can't be for all steps, or what is chosen couldn't be confirmed or written.
    """
    asked = read_command_line([*words], "tune")
    if asked.arm:
        raise BadInput(f"--arm '{asked.arm[0]}': {_FIXED['arms']}")
    typed = {word: word_key(word) for word in asked.overrides}
    for word, key in typed.items():
        if (instead := _FIXED.get(key)) is not None:
            raise BadInput(f"{word}: {instead}")
    own = [search_in(asked.config_dir)] if asked.config_dir else []
    first = compose_grid(["-m", PRESET, *asked.overrides, *own], "tune")
    optimizers = list(dict.fromkeys(str(cell.config["optimizer"]["name"]) for cell in first.cells))
    _check_grid(first, options)
    folder = tuning_folder(first.outputs, _name(first, [w for w, key in typed.items() if key.startswith("optimizer.")]))
    places = Places(Path(options.write or folder / "presets"), Path(asked.config_dir) if asked.config_dir else None)
    _check_preset(first, places, options)
    search = ["-m", PRESET, *(word for word, key in typed.items() if key != "outputs"), *own]
    search.append(f"outputs={as_word(str(folder))}")
    grid = compose_grid(search, "tune")
    seeds = comparing_seeds([*_searching(grid), *confirming_seeds(_searching(grid))], options.seeds)
    comparison = [
        *("-m", searchpath(*places.others[1:], places.folder), f"experiment={options.name}"),
        f"optimizer={','.join(map(as_word, optimizers))}",
        f"seed={','.join(map(str, seeds))}",
        *(word for word, key in typed.items() if not _is_of_the_search(key)),
    ]
    placing = [word for word, key in typed.items() if _is_placing(key)]
    return Steps(first.outputs, folder, optimizers, widen(grid)[0], search, placing, comparison, seeds, places, options)


def check_places(steps: Steps) -> None:
    """Check before a search trains that comparison and preset can be written after it. Leaves no file.

    Raises:
        BadInput: a folder can't be written, or has another choice under the preset's name.
    """
    if not unfinished(steps.grid):
        return
    check_readable(steps.outputs, ())
    check_writable(steps.outputs, ())
    if steps.options.write is not None:
        folder = steps.places.folder
        try:
            tempfile.TemporaryFile(dir=existing_folder(folder), prefix=".writable-").close()
        except OSError as error:
            raise BadInput(f"--write {folder}: can't be written: {error.strerror}; choose another folder") from error
        files_to_remove(folder, steps.options.name, {}, steps.options.replace)


def check_comparison(steps: Steps, images: str, here: ImagesHere) -> None:
    """Raises BadInput if a run of the comparison was trained, or would be, on other images than those, by their hash,
    on which the settings were chosen."""
    here.check(compose_grid(steps.comparison, "tune").cells, images)


def _check_grid(grid: Grid, options: Options) -> None:
    """Check that there is one search whose best can be confirmed."""
    configs = {str(cell.directory): identity_config(cell.config) for cell in grid.cells}
    if len({json.dumps(task, sort_keys=True) for task in task_configs(configs).values()}) > 1:
        raise BadInput("there are several tasks, as of two lengths or schedules; tune each by a command of its own")
    runs = Counter(str(cell.config["optimizer"]["name"]) for cell in grid.cells)
    settings = {optimizer: n // len(_searching(grid)) for optimizer, n in runs.items()}
    fewest = min(settings.values())
    if fewest < 2:
        raise BadInput(_nothing_to_choose([name for name, n in settings.items() if n < 2], len(settings)))
    if options.confirm > (can := min(fewest - 1, max(fewest, 4) // 2)):
        more = "give more by lr_factor" if can < 2 else f"give --confirm {can} or less"
        few = f"at most {can} {'is' if can == 1 else 'are'} confirmed"
        raise BadInput(f"--confirm {options.confirm}: of a grid of {fewest} settings {few}; {more}")


def _nothing_to_choose(single: Sequence[str], optimizers: int) -> str:
    """What to do about optimizers of one setting: all, by factors of one value, or those that no factor acts on."""
    if len(single) == optimizers:
        return "there is one setting of each optimizer, so nothing to choose; leave the factors out"
    return (
        f"optimizer={','.join(map(as_word, single))}: has one setting, so nothing to choose: factors multiply lr "
        "and weight_decay, and its YAML has no number of these names that varies; call what is to be tuned lr, or tune "
        "it by a command of its own, with lr_factor=1 decay_factor=1 and values of an option, optimizer.OPTION=0.1,0.3"
    )


def _check_preset(grid: Grid, places: Places, options: Options) -> None:
    """Check what can be known before the search: the preset's name, its place, and the values outside the search."""
    check_name(places, options.name)
    if places.folder.resolve().name == "optimizer":
        raise BadInput(f"--write {places.folder}: defaults aren't written to; give a folder for presets")
    files_to_remove(places.folder, options.name, {}, replace=True)  # refuses files that aren't of a choice
    chosen = {str(cell.config["optimizer"]["name"]): cell.config["optimizer"] for cell in grid.cells}
    for optimizer, values in chosen.items():
        try:
            check_values(places, optimizer, values, {})
        except BadInput as error:
            raise BadInput(f"the choice couldn't be written as a preset: {error}") from None


def _name(grid: Grid, options: Sequence[str]) -> str:
    """A name for the folder of the search, so that each has its own: by what is trained, whatever the optimizers."""
    configs = {str(cell.directory): identity_config(cell.config) for cell in grid.cells}
    text = json.dumps([next(iter(task_configs(configs).values())), sorted(options)], sort_keys=True)
    return f"{Path(run_name(grid.cells[0].config)).parent}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _searching(grid: Grid) -> list[int]:
    return sorted({int(cell.config["seed"]) for cell in grid.cells})


def _is_of_the_search(key: str) -> bool:
    """Whether an override is for the search alone; the preset has the optimizers' values."""
    return key in _OF_THE_SEARCH or key.startswith(("optimizer.", *_SWEEPER))


def _is_placing(key: str) -> bool:
    hydras = key.startswith(("hydra.", "hydra/"))
    return key != "outputs" and not key.startswith(_SWEEPER) and (hydras or not is_identity(key))


def _of_each(runs: Counter[str]) -> str:
    """` of sgd`, `, 9 each of sgd, lion`, `, 9 of sgd, 3 of signum`."""
    if len(runs) == 1:
        return f" of {next(iter(runs))}"
    if len(set(runs.values())) == 1:
        return f", {next(iter(runs.values()))} each of {', '.join(runs)}"
    return ", " + ", ".join(f"{count} of {optimizer}" for optimizer, count in runs.items())


def _seeds(seeds: Sequence[int]) -> str:
    """`seed 101`, `seeds 102 and 103`, `seeds 1 to 5`."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {' and '.join(map(str, seeds))}"
