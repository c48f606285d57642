"""The axes of a search's grid, found from the values of its trials: lr, and weight decay or lr x weight decay."""

from collections.abc import Mapping, Sequence
from typing import Any

from sweeper.runs.checks import is_number

PRODUCT = "lr·weight_decay"
ALIKE = 0.01  # relative: values are rounded to four digits

Values = Mapping[str, Any]  # of a trial's searched options


def on_axes(trials: Sequence[Values]) -> list[dict[str, Any]]:
    """Each trial's values on the axes of the grid.

    An option that moves in proportion to lr or weight decay, such as Muon's second rate, is no axis. If lr x weight
    decay has fewer different values than weight decay, this product is the axis.
    """
    left = followers(trials)
    found = [{name: value for name, value in trial.items() if name not in left} for trial in trials]
    if trials and all(_positive(trial, "lr") and _positive(trial, "weight_decay") for trial in trials):
        products = _levels([trial["lr"] * trial["weight_decay"] for trial in trials])
        decays = _levels([trial["weight_decay"] for trial in trials])
        if len(set(products)) < len(set(decays)):
            for trial, product in zip(found, products, strict=True):
                del trial["weight_decay"]
                trial[PRODUCT] = product
    return found


def followers(trials: Sequence[Values]) -> set[str]:
    """The further rates and decays, such as Muon's `adamw_lr`, that move in proportion to lr or weight decay."""
    names = {name for trial in trials for name in trial if name.endswith(("_lr", "_weight_decay"))}
    return {name for name in names if any(_is_proportional(trials, name, leader) for leader in ("lr", "weight_decay"))}


def edges(trials: Sequence[Values]) -> list[dict[str, str]]:
    """For each trial the axes of which it has the `highest` or `lowest` value of all."""
    placed = on_axes(trials)
    told: list[dict[str, str]] = [{} for _ in placed]
    for name in {name for trial in placed for name in trial}:
        numbers = [trial[name] for trial in placed if is_number(trial.get(name))]
        if numbers and (low := min(numbers)) < (high := max(numbers)):
            for trial, words in zip(placed, told, strict=True):
                if trial.get(name) in (low, high) and is_number(trial[name]):
                    words[name] = "highest" if trial[name] == high else "lowest"
    return [dict(sorted(words.items())) for words in told]


def _positive(trial: Values, name: str) -> bool:
    return is_number(trial.get(name)) and trial[name] > 0


def _levels(values: Sequence[float]) -> list[float]:
    """Each value, or the lowest one that it is alike to, with three digits."""
    levels: list[float] = []
    for value in sorted(values):
        if not levels or value > levels[-1] * (1 + ALIKE):
            levels.append(value)
    return [float(f"{max(level for level in levels if level <= value):.3g}") for value in values]


def _is_proportional(trials: Sequence[Values], name: str, leader: str) -> bool:
    if not all(_positive(trial, name) and _positive(trial, leader) for trial in trials):
        return False
    ratios = [trial[name] / trial[leader] for trial in trials]
    return max(ratios) <= min(ratios) * (1 + ALIKE)
