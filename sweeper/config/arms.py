"""Arms: named sets of overrides, each crossed with the other axes of a sweep; the presets of a union are arms too."""

import contextlib
import itertools
import math
import re
import time
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sweeper.config.command_line import as_typed, at_one_time
from sweeper.config.grammar import word_key
from sweeper.config.overrides import parse_overrides
from sweeper.config.search_space import Dimension
from sweeper.config.spelling import groups_with, letters
from sweeper.system.errors import BadInput, first_line, nearest

HOW = 'write "NAME: OVERRIDES", e.g. --arm "lion: optimizer=lion optimizer.lr=2e-4"'


@dataclass(frozen=True)
class Arm:
    """Overrides that are added to a sweep's own; a name that is None belongs to a sweep without arms."""

    name: str | None
    overrides: tuple[str, ...]


NO_ARM = Arm(None, ())


@contextlib.contextmanager
def naming(arm: Arm, by_group: bool = False) -> Iterator[None]:
    """Context in which an error about one of the arm's own overrides names the arm.

    Args:
        by_group: an error about a group of which it sets an option, too.
    """
    try:
        yield
    except BadInput as error:
        part = _group if by_group else word_key
        about = part(re.split("[=: ]", str(error), maxsplit=1)[0])
        if arm.name is None or about not in map(part, arm.overrides):
            raise
        raise BadInput(f"arm '{arm.name}': {error}") from error


def _group(override: str) -> str:
    """What an override is of: `optimizer` of `optimizer.lr=1`."""
    return word_key(override).partition(".")[0]


def read_flags(texts: Iterable[str]) -> list[Arm]:
    """The arms that `--arm` gives.

    Raises:
        BadInput: an arm has no name or no override.
    """
    return [_from_text(text) for text in texts]


def take_files(overrides: Iterable[str]) -> tuple[list[str], list[str]]:
    """The names in `arms=NAME,…`, which may begin with a plus, and the other overrides."""
    names, others = list[str](), list[str]()
    for text in overrides:
        if text.lstrip("+").startswith("arms="):
            names += text.partition("=")[2].split(",")
        else:
            others.append(text)
    return names, others


def read_files(names: Iterable[str], folders: Sequence[Path]) -> list[Arm]:
    """The arms of `arms=NAME`: lines `name: overrides` of `arms/NAME.yaml` in one of the configuration folders, the
    first that has it.

    Raises:
        BadInput: there is no such file, or it holds something else.
    """
    arms = []
    for name in names:
        files = [file for folder in folders if (file := folder / "arms" / f"{name}.yaml").is_file()]
        if not files:
            known = sorted({file.stem for folder in folders for file in folder.glob("arms/*.yaml")})
            raise BadInput(f"arms={name}: there is no file arms/{name}.yaml; {nearest(name, known)}")
        arms += _from_yaml(files[0])
    return arms


def read_arms(flags: Iterable[str], files: Iterable[str], folders: Sequence[Path]) -> list[Arm]:
    """The arms of `--arm` and of files.

    Raises:
        BadInput: as `read_flags` and `read_files`, or two arms have one name.
    """
    arms = read_flags(flags) + read_files(files, folders)
    names = [arm.name for arm in arms]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"arm '{name}': two arms have this name; give each its own")
    return arms


def _from_text(text: str) -> Arm:
    name, colon, overrides = text.partition(":")
    if not colon or not _is_name(name):
        raise BadInput(f'--arm "{text}": it has no name; {_how_named(text)}')
    return _arm(name.strip(), _words(overrides, f'--arm "{text}"'), f'--arm "{text}"')


def _how_named(text: str) -> str:
    """What to write for an arm without a colon: its first word is a name, or its optimizer's is taken."""
    if (first := re.match(r"(?:optimizer=)?(\w+)(?= |$)", text)) is None:
        return HOW
    named = " optimizer=" in text
    if "=" in first[0] or (groups_with(first[1]) == ["optimizer"] and not named):
        return f'write "{first[1]}: optimizer={first[1]}{text[first.end() :]}"'
    return f'write "{first[1]}:{text[first.end() :]}"' if "=" in text else HOW


def _from_yaml(file: Path) -> list[Arm]:
    try:
        content = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)  # keeps texts, and names given twice
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"{file}: can't be read ({first_line(error)}); write lines NAME: OVERRIDES") from error
    if not isinstance(content, yaml.MappingNode) or not content.value:
        raise BadInput(f"{file}: has no arms; write lines NAME: OVERRIDES")
    arms = []
    for name, value in content.value:
        where = f"{file}: arm '{name.value}'"
        listed = isinstance(value, yaml.SequenceNode)
        if isinstance(name, yaml.ScalarNode) and not _is_name(name.value):
            raise BadInput(f"{file}: {name.value!r} can't be the name of an arm; take a name without : and =")
        if not all(isinstance(node, yaml.ScalarNode) for node in (name, *(value.value if listed else [value]))):
            raise BadInput(f"{where}: must be overrides in a line or a list, e.g. optimizer=lion optimizer.lr=2e-4")
        words = [node.value for node in value.value] if listed else _words(value.value, where)
        arms.append(_arm(name.value, words, where))
    return arms


def _is_name(text: str) -> bool:
    """Whether `--arm` can give this name, and a terminal show it."""
    return bool(text.strip()) and text.isprintable() and not set(text) & set(":=")


def _arm(name: str, words: Sequence[str], where: str) -> Arm:
    name = unicodedata.normalize("NFC", name)  # an é is one code point or two, by keyboard and system
    if not words:
        raise BadInput(f"{where}: the arm is empty; {HOW}")
    if len(without_hydras(words)) < len(words):
        raise BadInput(f"{where}: all arms share Hydra's own options; give hydra… outside of the arms")
    began = time.localtime()
    with naming(Arm(name, tuple(words))):
        parse_overrides(list(words))
    return Arm(name, tuple(as_typed(at_one_time(word, began)) for word in words))


def _words(text: str, where: str) -> list[str]:
    """Split at spaces that are outside of quotes and brackets; quotes and brackets stay, for Hydra's grammar."""
    words, word, quoted, depth = [], "", False, 0
    for letter, quoted, depth in letters(text):
        if letter.isspace() and not quoted and depth == 0:
            words.append(word)
            word = ""
        else:
            word += letter
    if quoted or depth:
        raise BadInput(f"{where}: a quote or a bracket isn't closed")
    return [word for word in [*words, word] if word]


@dataclass(frozen=True)
class Part:
    """An arm of a sweep with all that it is crossed with.

    Attributes:
        preset: the number of its preset, of several that are joined.
        own: the keys that the arm itself sets.
        texts: for each key its values, as overrides.
        title: in an error.
        sweep: whether it is a multirun.
        launcher: the choice of hydra/launcher.
        search: the options of a search; None for a grid.
        dimensions: the space of a search.
        extensions: of a grid of factors, see `widening`.
        typed: for an override with one value of a sweep's, the override as it was typed.
    """

    arm: Arm
    preset: int
    own: frozenset[str]
    texts: dict[str, list[str]]
    title: str
    sweep: bool
    launcher: str
    search: dict[str, Any] | None
    dimensions: dict[str, Dimension]
    extensions: int = 0
    typed: Mapping[str, str] = field(default_factory=dict)

    @property
    def stands_alone(self) -> bool:
        """Whether its runs depend on results, so that nothing can be joined with it."""
        return self.search is not None or self.extensions > 0

    def runs(self) -> int:
        return math.prod(map(len, self.texts.values()))

    def words(self, places: Iterable[int]) -> list[str]:
        """The overrides of the run with these of each key's values."""
        return [values[k] for values, k in zip(self.texts.values(), places, strict=True)]


def in_order(parts: Sequence[Part]) -> list[tuple[int, tuple[int, ...], list[str]]]:
    """Each run as the number of its part, the places of its values there, and its overrides.

    Presets come one after the other; of each the shared axes are outermost, so that a sweep that is cut short has whole
    seeds of all arms.
    """
    runs = []
    for number, part in enumerate(parts):
        for places in itertools.product(*(range(len(values)) for values in part.texts.values())):
            outer = tuple(0 if key in part.own else k for key, k in zip(part.texts, places, strict=True))
            runs.append((part.preset, outer, number, places))
    return [(number, places, parts[number].words(places)) for _, _, number, places in sorted(runs)]


def without_hydras(overrides: Iterable[str]) -> list[str]:
    """Those of a run's overrides that aren't Hydra's own, which Hydra itself passes to every run."""
    return [text for text in overrides if not text.lstrip("+~").startswith(("hydra.", "hydra/"))]
