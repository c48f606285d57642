"""Which runs of a sweep's arms are compared with each other, and whether the arms say what sets their data apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeper.config.arms import Part
from sweeper.config.factors import FACTORS
from sweeper.config.resolved import Cell
from sweeper.runs.identity import is_identity
from sweeper.system.errors import BadInput

Found = Mapping[int, Mapping[tuple[int, ...], Cell]]  # by the number of the part and the places of its values


def comparisons(parts: Sequence[Part], found: Found) -> list[dict[str, list[Path]]]:
    """The directories of the runs by arm, for each combination of the axes that the arms share.

    Not of seeds, optimizers and their options, which make no other task: an arm has several settings then.
    """
    own: set[str] = set().union(*(part.own for part in parts if part.arm.name is not None))
    compared: dict[tuple[int, tuple[str, ...]], dict[str, list[Path]]] = {}
    for number, part in enumerate(parts):
        if part.arm.name is None:
            continue
        for places, cell in sorted(found[number].items(), key=lambda item: item[0]):
            at = [
                (key, k) for key, k in zip(part.texts, places, strict=True) if key not in own and not _is_of_method(key)
            ]
            shared = tuple(part.texts[key][k] for key, k in at if len(part.texts[key]) > 1)
            compared.setdefault((part.preset, shared), {}).setdefault(part.arm.name, []).append(cell.directory)
    return list(compared.values())


def _is_of_method(key: str) -> bool:
    return key in FACTORS or key.partition(".")[0].partition("@")[0] in ("seed", "optimizer")


def check_said(parts: Sequence[Part], found: Found) -> None:
    """Check that arms that differ in data, label noise or epochs say so themselves, and not by a preset.

    Raises:
        BadInput: two arms differ in one of them, and neither has it among its overrides.
    """
    arms = [(part, _first(found[number])) for number, part in enumerate(parts) if part.arm.name is not None]
    for other, config in arms[1:]:
        first, expected = arms[0]
        if other.preset != first.preset:
            continue
        names = f"arms '{first.arm.name}' and '{other.arm.name}'"
        said = {key.partition(".")[0].partition("@")[0] for part in (first, other) for key in part.own}
        for group, words in (("dataset", "they have other data"), ("noise", "they have other labels")):
            if group not in said and _determining(group, config) != _determining(group, expected):
                raise BadInput(f"{names}: {words}; write {group}= into the arm if it's meant")
        if not said & {"epochs", "dataset"} and config["epochs"] != expected["epochs"]:
            lengths = f"{expected['epochs']} and {config['epochs']} epochs"
            raise BadInput(f"{names}: they train {lengths}; write epochs= into the arm if it's meant")


def _first(cells: Mapping[tuple[int, ...], Cell]) -> dict[str, Any]:
    return cells[min(cells)].config


def _determining(group: str, config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config[group].items() if is_identity(f"{group}.{name}")}
