"""Refuses axes of a sweep whose values give one and the same run, so that no value on a command line goes unused."""

import itertools
from collections.abc import Container, Mapping, Sequence
from typing import Any

from sweeper.config.factors import FACTORS
from sweeper.config.overrides import parse_overrides
from sweeper.config.resolved import Cell
from sweeper.runs.identity import flat, is_identity
from sweeper.system.errors import BadInput

Axes = Mapping[str, Sequence[str]]  # by key, e.g. `{"seed": ["seed=1", "seed=2"]}`


def check_hydras(axes: Axes) -> None:
    """Check that Hydra's own options have one value: they belong to the sweep and not to a run."""
    for key, texts in axes.items():
        if len(texts) > 1 and key.lstrip("+").startswith(("hydra.", "hydra/")):
            raise BadInput(f"{_shown(key, texts)}: it belongs to the whole sweep; give it one value")


def check_axes(axes: Axes, cells: Sequence[Cell], spared: Container[str] = ()) -> None:
    """Check that each axis changes the run.

    Args:
        cells: those of the axes' product, in its order.
        spared: axes that needn't.

    Raises:
        BadInput: the values of an axis give one run.
    """
    combinations = list(itertools.product(*map(range, map(len, axes.values()))))
    for place, (key, texts) in enumerate(axes.items()):
        if len(texts) == 1 or key in spared:
            continue
        groups: dict[tuple[int, ...], list[Cell]] = {}  # of cells that differ in this axis alone
        for combination, cell in zip(combinations, cells, strict=True):
            groups.setdefault(combination[:place] + combination[place + 1 :], []).append(cell)
        differ = any(len({cell.directory for cell in group}) > 1 for group in groups.values())
        if not differ and any(len(_distinct(key, texts, group)) > 1 for group in groups.values()):
            raise BadInput(f"{_shown(key, texts)}: {_why(key, cells[0].config)}")


def check_folder(cells: Sequence[Cell]) -> None:
    """Check that all runs lie in one folder.

    Raises:
        BadInput: they lie in several.
    """
    if len(folders := dict.fromkeys(cell.config["outputs"] for cell in cells)) > 1:
        raise BadInput(f"outputs={','.join(folders)}: a sweep has one folder of runs; give the command once for each")


def check_dimension(key: str, text: str, ends: Sequence[tuple[Cell, Cell]]) -> None:
    """Check that a dimension of a search changes the runs of an optimizer; `ends` has the outermost of each."""
    if all(low.directory == high.directory for low, high in ends):
        raise BadInput(f"{key}={text}: {_why(key, ends[0][0].config)}")


def _distinct(key: str, texts: Sequence[str], group: Sequence[Cell]) -> list[Any]:
    """The different values of an axis as the runs have them; as typed for an option that no configuration keeps."""
    found: list[Any] = []
    for text, cell in zip(texts, group, strict=True):
        config = dict(flat(cell.config))
        typed = parse_overrides([text])[0].value()
        name = key.lstrip("+")
        value = config.get(name, config.get(f"{name}.name", typed))
        if value not in found:
            found.append(value)
    return found


def _why(key: str, config: Mapping[str, Any]) -> str:
    """Why the values of an axis give one run, and what to do."""
    named = {name for option, _ in flat(dict(config)) for name in (option, option.removesuffix(".name"))}
    if key in named and not is_identity(key):
        again = "give the command once for each, with a tag=NAME or an outputs=DIR of its own"
        return f"all values give one run, since a run's name doesn't depend on it; {again}"
    nothing = "all values give one run, since nothing depends on it here"
    if key in FACTORS:  # a preset may have given it, so it can't be left out
        return f"{nothing}; it multiplies {FACTORS[key]}, which no optimizer here has as a number above 0: give {key}=1"
    return f"{nothing}; give one value, or leave it out"


def _shown(key: str, texts: Sequence[str]) -> str:
    return f"{key}={','.join(text.partition('=')[2] for text in texts)}"
