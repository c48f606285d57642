"""A grid of factors around each optimizer's values, which is extended until its best cell lies inside."""

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from omegaconf import DictConfig

from sweeper.config.arms import Part
from sweeper.config.factors import FACTORS, has_decay
from sweeper.config.overrides import parse_overrides
from sweeper.config.resolved import Cell
from sweeper.config.search_space import check_held_out
from sweeper.system.errors import BadInput

Axes = dict[str, list[float]]  # the values of each factor, ascending
Place = tuple[float, ...]  # a value of each factor, in the order of the axes
DIVERGED = -1.0  # the score of a cell of which a run diverged: below every accuracy
COMPARED = 5  # seeds of the comparison
DECAY = ("decay_factor", "weight_decay_factor")


@dataclass(frozen=True)
class Widening:
    """How a grid is extended, each optimizer's by itself.

    Attributes:
        most: extensions of one optimizer.
        axes: the grid that each optimizer begins with.
        cells: gives the runs of an optimizer's grid with some seeds and their overrides, by place.
        seeds: the search's own.
        one_axis: the optimizers that have no weight decay to tune.
    """

    most: int
    axes: dict[str, Axes]
    cells: Callable[[str, Axes, Sequence[int]], dict[Place, list[tuple[Cell, list[str]]]]]
    seeds: list[int]
    one_axis: list[str]


def read_extensions(sweeper: DictConfig) -> int:
    """`hydra.sweeper.extensions`, 0 for a sweeper that has none."""
    extensions = sweeper.get("extensions") or 0
    if extensions < 0:
        raise BadInput(f"hydra.sweeper.extensions={extensions}: must be an integer of at least 0")
    return int(extensions)


def without_replaced(params: Mapping[str, str], typed: Collection[str]) -> dict[str, str]:
    """A preset's axes without that of the weight decay if the other factor of it was typed, which takes its place."""
    replaced = {name for name, other in (DECAY, DECAY[::-1]) if other in typed and name not in typed}
    return {key: value for key, value in params.items() if key not in replaced}


def find_widening(part: Part, cell: Callable[[list[str]], tuple[Cell, list[str]]]) -> Widening | None:
    """How the grid of a command line is extended; None if it isn't.

    Args:
        cell: gives a run and its overrides.

    Raises:
        BadInput: no validation images are held out, or more than optimizers, factors and seeds vary.
    """
    factors = {key: texts for key, texts in part.texts.items() if key in FACTORS and len(texts) > 1}
    if not part.extensions or not factors:
        return None
    alone = {"optimizer", "seed", *factors}
    if others := [key for key, texts in part.texts.items() if len(texts) > 1 and key not in alone]:
        factor = f"{others[0].rpartition('.')[2]}_factor"
        of_grid = f", which the grid multiplies by {factor}" if factor in FACTORS else ""
        raise BadInput(
            f"{others[0]}: a tuning has one value of it{of_grid}; give one, or end the grid's growth by "
            "hydra.sweeper.extensions=0"
        )
    values = {
        key: sorted({float(str(parse_overrides([text])[0].value())) for text in texts})
        for key, texts in factors.items()
    }
    first = {key: texts[:1] for key, texts in part.texts.items()}
    axes, chosen = {}, {}

    @cache  # a grid is looked at after every extension
    def composed(*words: str) -> tuple[Cell, list[str]]:
        return cell([*words])

    for text in part.texts.get("optimizer", [None]):
        one = first if text is None else first | {"optimizer": [text]}
        config = composed(*(words[0] for words in one.values()))[0].config
        check_held_out(config)
        optimizer = config["optimizer"]["name"]
        decays = has_decay(config["optimizer"])
        axes[optimizer] = {key: own for key, own in values.items() if decays or key not in DECAY}
        chosen[optimizer] = one

    def cells(optimizer: str, axes: Axes, seeds: Sequence[int]) -> dict[Place, list[tuple[Cell, list[str]]]]:
        fixed = chosen[optimizer] | {"seed": [f"seed={seed}" for seed in seeds]}
        found = {}
        for place in itertools.product(*axes.values()):
            texts = fixed | {key: [f"{key}={value!r}"] for key, value in zip(axes, place, strict=True)}
            found[place] = [composed(*words) for words in itertools.product(*texts.values())]
        return found

    one_axis = [optimizer for optimizer, own in axes.items() if len(own) < len(values)]
    typed = part.texts.get("seed", [])
    seeds = [int(str(parse_overrides([text])[0].value())) for text in typed] or [int(config["seed"])]
    return Widening(part.extensions, axes, cells, seeds, one_axis)


def confirming_seeds(searched: Sequence[int]) -> list[int]:
    """The seeds with which a search's best settings are run again."""
    return [max(searched) + 1, max(searched) + 2]


def comparing_seeds(used: Collection[int], count: int = COMPARED) -> list[int]:
    """The first seeds that neither the search nor a confirmation has."""
    return list(itertools.islice((seed for seed in itertools.count(1) if seed not in used), count))


def extend(axes: Axes, scores: Mapping[Place, float]) -> Axes:
    """The axes with a new value beyond each edge on which the best cell lies; the same if it lies inside."""
    best = best_place(axes, scores)
    return {
        name: [
            *([beyond(values, -1)] if _is_edge(values, value, 0) else []),
            *values,
            *([beyond(values, 1)] if _is_edge(values, value, -1) else []),
        ]
        for (name, values), value in zip(axes.items(), best, strict=True)
    }


def best_place(axes: Axes, scores: Mapping[Place, float]) -> Place:
    """The place of the highest score; of equal ones the one on the fewest edges, then the nearest to factors of 1."""

    def order(place: Place) -> tuple[float, int, float]:
        edges = sum(
            _is_edge(values, value, end) for values, value in zip(axes.values(), place, strict=True) for end in (0, -1)
        )
        return -scores[place], edges, sum(abs(math.log(value)) for value in place)

    return min(scores, key=order)


def beyond(values: Sequence[float], side: int) -> float:
    """The next value below (-1) or above (1) an axis, in its own steps from its value nearest to 1.

    >>> beyond([0.3162, 1.0, 3.162], 1)
    10.0
    """
    low, high = values[0], values[-1]
    halves = 2 * math.log10(high / low) / (len(values) - 1)  # a step in half decades, exact if it is whole
    step = 10 ** ((round(halves) if abs(halves - round(halves)) < 0.01 else halves) / 2)
    nearest = min(range(len(values)), key=lambda k: abs(math.log(values[k])))
    value = values[nearest] * step ** (len(values) - nearest if side > 0 else -nearest - 1)
    if low <= value <= high:  # steps that differ much
        value = high * step if side > 0 else low / step
    place = 2 * math.log10(value)
    exact = 10 ** (round(place) / 2) if abs(place - round(place)) < 0.001 else value
    return float(f"{exact:.4g}")


def _is_edge(values: Sequence[float], value: float, end: int) -> bool:
    return len(values) > 1 and value == values[end]
