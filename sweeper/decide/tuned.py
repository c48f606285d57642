"""Tunes newcomers before they are compared: `experiment=tune`, then the best again with fresh seeds, as for any search.

Each tuning lies in a folder of its own beside the decision's, so that no table of the comparison has its runs.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sweeper.aggregate.tasks import epochs_words
from sweeper.choose.choice import read_search, write_choice
from sweeper.config.arms import read_flags
from sweeper.config.command_line import read_command_line
from sweeper.config.factors import FACTORS
from sweeper.config.grammar import as_word, word_key
from sweeper.config.grid import compose_grid
from sweeper.config.search_path import search_in
from sweeper.config.widening import Axes, confirming_seeds
from sweeper.datasets.here import ImagesHere
from sweeper.decide.arms import Arms
from sweeper.decide.circumstances import check_newcomers
from sweeper.decide.field import Field
from sweeper.runs.layout import CHOSEN_FILE
from sweeper.system.command import MAKE_ROOM, writing
from sweeper.system.errors import BadInput
from sweeper.system.files import read_file
from sweeper.system.limits import SETTINGS_BYTES
from sweeper.system.terminal import say, tell
from sweeper.tune.search import BEST, PRESET, carry_out_search, tuning_folder

TUNE = "tune"  # tune=true on the command line
_AXES = {"lr_factor": "lr", "decay_factor": "decay"}
_OF_THE_TUNING = ("experiment", *FACTORS, "hydra.mode")
_OF_THE_COMPARISON = ("outputs", "rerun", "dataset.validation_fraction")


@dataclass(frozen=True)
class Tuning:
    """How a newcomer is tuned.

    Attributes:
        words: for `sweeper.train`.
        placing: the overrides for `sweeper.choose`, of where and how the best are run again.
        axes: the grid that it begins with.
        extensions: of the grid at most.
        seeds: of the grid.
    """

    name: str
    optimizer: str
    folder: Path
    words: list[str]
    placing: list[str]
    axes: Axes
    extensions: int
    seeds: list[int]

    def rule(self) -> str:
        values = " and ".join(f"{_AXES[name]} ×{', '.join(f'{v:g}' for v in own)}" for name, own in self.axes.items())
        seed, again = (" and ".join(map(str, seeds)) for seeds in (self.seeds, confirming_seeds(self.seeds)))
        return (
            f"tuned first by {PRESET}: {values}, extended while the best lies on the edge, {self.extensions} times at "
            f"most; by validation images that are held out; seed {seed}, the {BEST} best again with seeds {again}"
        )

    def plan(self, outputs: Path) -> dict[str, Any]:
        """What is known before it begins."""
        return {"runs": Path(os.path.relpath(self.folder, outputs)).as_posix(), "rule": self.rule()}

    def is_chosen(self) -> bool:
        """Whether it is finished."""
        return (self.folder / CHOSEN_FILE).is_file()


def take_tune(words: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether `tune=true` is among the words, and the others.

    Raises:
        BadInput: it has another value, or a word changes the tuning that it asks for.
    """
    given = [word for word in words if word_key(word) == TUNE]
    others = [word for word in words if word_key(word) != TUNE]
    if len(given) > 1:
        raise BadInput(f"{TUNE} is given twice: {' '.join(given)}; give one")
    for word in given:
        if word.partition("=")[2].lower() not in ("true", "false"):
            raise BadInput(f"{word}: must be {TUNE}=true or {TUNE}=false")
    asked = bool(given) and given[-1].lower().endswith("=true")
    if asked and (other := [word for word in others if _is_fixed(word)]):
        raise BadInput(f"{other[0]}: {TUNE}=true tunes by {PRESET} as it is; leave it out")
    return asked, others


def plan_tunings(asked: Arms, field: Field) -> list[Tuning]:
    """The tuning of each newcomer, of which nothing is started.

    Raises:
        BadInput: an arm fixes what the tuning does, or the field has seeds of the tuning.
    """
    parsed = read_command_line(asked.common, "decide")
    places = [search_in(parsed.config_dir)] if parsed.config_dir else []
    common = [word for word in parsed.overrides if word_key(word) not in _OF_THE_COMPARISON]
    found = []
    for name in asked.cells:
        own = read_flags([f"{name}: {asked.words[name]}"])[0].overrides if name in asked.words else ()
        if fixed := [word for word in own if _is_fixed(word)]:
            raise BadInput(f"arm '{name}': {fixed[0]}: {TUNE}=true tunes by {PRESET} as it is; leave it out")
        own = tuple(word for word in own if word_key(word) not in _OF_THE_COMPARISON)
        shared = [word for word in common if word_key(word) not in map(word_key, own)]  # an arm's own value wins
        words = ["-m", PRESET, *shared, *places, *own]
        widening = compose_grid(words, "decide").widening
        assert widening is not None
        ((optimizer, axes),) = widening.axes.items()
        ((published, *_),) = widening.cells(optimizer, {factor: [1.0] for factor in axes}, widening.seeds).values()
        seeds = [*widening.seeds, *confirming_seeds(widening.seeds)]
        if both := sorted({*seeds} & {*asked.seeds}):
            raise BadInput(
                f"{field.asked}: its seed {both[0]} is one of the tuning's, so it can't judge; tune it by hand"
            )
        directory = published[0].directory.name.replace(f"-seed{widening.seeds[0]}", "")
        folder = tuning_folder(asked.outputs, directory)
        placing = [*(word for word in common if word_key(word).startswith("hydra")), *places]
        words.append(f"outputs={as_word(str(folder))}")
        found.append(Tuning(name, optimizer, folder, words, placing, axes, widening.most, widening.seeds))
    return found


def tune_all(tunings: Sequence[Tuning], asked: Arms, tuned: dict[str, dict[str, Any]], here: ImagesHere) -> int:
    """Tune each newcomer and add to `tuned` what was chosen. Returns 0, or the exit code of what stopped it.

    Args:
        here: what the command knows of the images, and of the field's.

    Raises:
        BadInput: a tuning was on other images than the field's, or would be; or a package that it needs is missing.
    """
    if left := [tuning.name for tuning in tunings if not tuning.is_chosen()]:
        check_newcomers(asked, left, here)
    for tuning in tunings:
        say(f"{tuning.name}: {tuning.rule()}")
    for tuning in tunings:
        if code := tune(tuning, here):
            return code
        tuned[tuning.name] |= (chosen := read_chosen(tuning))
        values = ", ".join(f"{name} {value:g}" for name, value in chosen["values"].items())
        say(f"{tuning.name}: tuned to {values}; {chosen['chosen']}; {tuning.folder}")
    return 0


def tune(tuning: Tuning, here: ImagesHere) -> int:
    """Train what is missing of a tuning. Returns 0 when its choice is made, else the exit code of what stopped.

    A grid of one axis is confirmed once: had most of its few settings more seeds, records wouldn't say which chose.
    """
    if code := carry_out_search(tuning.words, tuning.placing, once=len(tuning.axes) == 1, here=here):
        return code
    task, asides = read_search([str(tuning.folder)])
    for line in asides:
        tell(line)
    with writing(tuning.folder, MAKE_ROOM):
        write_choice(task, tuning.folder)
    return 0


def read_chosen(tuning: Tuning) -> dict[str, Any]:
    """The `values` that a tuning chose, and in `chosen` how.

    Raises:
        BadInput: its file isn't as `sweeper.choose` writes it.
    """
    path = tuning.folder / CHOSEN_FILE
    try:
        text = read_file(path, SETTINGS_BYTES).decode()
        values = yaml.safe_load(text)[tuning.optimizer]
        numbers = {str(name): float(value) for name, value in values.items()}
    except OSError as error:
        raise BadInput(f"{path}: can't be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise BadInput(f"{path}: doesn't have the choice of {tuning.optimizer}; the same command goes on") from error
    how = re.search(r"^\S.*:  # (.+)$", text, re.MULTILINE)
    edge = "; on the edge of its grid, so a better one may lie beyond" if "may lie beyond" in text else ""
    return {"values": numbers, "chosen": f"{how[1] if how else ''}{edge}"}


def describe_tuning(tunings: Sequence[Tuning], asked: Arms) -> str:
    """A sentence on what the field's records say of its own tuning; "" if nothing was tuned here."""
    field = asked.field
    if not tunings or field is None:
        return ""
    verb, length = "was" if len(tunings) == 1 else "were", epochs_words(field.task)
    tuned = f"{', '.join(tuning.name for tuning in tunings)} {verb} tuned at {length}"
    if not field.task.tuned:
        return f"{tuned}; the field's records don't say how its optimizers were."
    also = "too" if field.task.tuned == length else f"at {field.task.tuned}"
    return f"{tuned}, the field {also}; its records don't have its space and budget."


def _is_fixed(word: str) -> bool:
    """Whether an override is of what the preset fixes, so that every newcomer is tuned alike."""
    return word_key(word) in _OF_THE_TUNING or word_key(word).startswith(("hydra.sweeper", "hydra/sweeper"))
