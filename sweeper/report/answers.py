"""The answer as a picture: a card for each task, with each optimizer's seeds, its interval, and the band around the
first within which no difference is significant. Places are in percent of the picture's width.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sweeper.aggregate.statistics import mean, standard_deviation
from sweeper.aggregate.tasks import Setting, Task, task_title
from sweeper.aggregate.verdict import describe_order, describe_task, headline_task
from sweeper.report.jitter import levels
from sweeper.report.looks import Look
from sweeper.report.tables import PageTable, pairs_table

NEAR = 2.5  # percent of the width: dots closer than this would hide each other
MARGIN = 4.0  # percent of the width left free on either side
MOST_TICKS = 4
MIDDLE, STEP, REACH = 13.0, 6.0, 10.0  # pixels: where dots stand, by how much and how far they are moved apart

Ends = tuple[float, float]


class Span(NamedTuple):
    """A mean and the ends of the interval around it, in percent."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Dot:
    """A seed. `y` is in pixels."""

    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Row:
    """An optimizer.

    Attributes:
        mean: of the final test accuracies, in words.
        note: how many of its seeds diverged, if any.
        middle: where its mean stands; by least squares where seeds are missing.
        bar: the simultaneous 95 % interval of its difference from the first, drawn from the first's mean.
        band: what differs from the first by less than is significant.
        words: the row for those who can't see it.
    """

    name: str
    look: Look
    mean: str
    note: str
    dots: Sequence[Dot]
    middle: float | None
    bar: Ends | None
    band: Ends | None
    words: str


@dataclass(frozen=True)
class Card:
    """Attributes: `first` is where the first one's mean stands, `ticks` are places and texts of the axis; `note` stands
    below the picture."""

    label: str
    headline: str
    note: str
    why: Sequence[str]
    pairs: PageTable
    rows: Sequence[Row]
    first: float | None
    ticks: Sequence[tuple[float, str]]


def answer_card(task: Task, looks: Mapping[str, Look], margin: float | None = None) -> Card:
    """The card of a task; without bars and bands where no interval supports a verdict."""
    finals = [{seed: 100 * value for seed, value in setting.final().items()} for setting in task.compared]
    spans = [_span(task, setting) for setting in task.compared]
    ends = [x for values in finals for x in values.values()] + [x for span in spans for x in span or ()]
    low, high = _range(ends)

    def place(value: float) -> float:
        return round(MARGIN + (100 - 2 * MARGIN) * (value - low) / (high - low), 2)

    first = 100 * _mean(_first(task)) if any(spans) else None
    rows = []
    for setting, values, span in zip(task.compared, finals, spans, strict=True):
        dots = list(values.values())
        apart = levels(dots, NEAR / 100 * (high - low))
        step = min(STEP, REACH / max(map(abs, apart), default=0)) if any(apart) else STEP
        middle = span.middle if span else mean(dots) if dots else None
        rows.append(
            Row(
                setting.label,
                looks[setting.optimizer],
                _mean_words(dots),
                _lost(setting),
                [
                    Dot(place(value), round(MIDDLE - step * level, 1), f"{setting.label}, seed {seed}: {value:.2f} %")
                    for (seed, value), level in zip(values.items(), apart, strict=True)
                ],
                None if middle is None else place(middle),
                (place(span.low), place(span.high)) if span else None,
                _band(place, first, span) if span and first is not None else None,
                f"{setting.label}: {', '.join(f'{value:.2f}' for value in dots) or 'no completed seed'}",
            )
        )
    return Card(
        task_title(task),
        unbroken(headline_task(task, margin)),
        describe_order(task),
        [unbroken(sentence) for sentence in describe_task(task, margin)[1:]],
        pairs_table(task, margin),
        rows,
        None if first is None else place(first),
        [(place(tick), f"{tick:.{digits}f}") for tick, digits in _ticks(low, high)] if ends else [],
    )


def _span(task: Task, setting: Setting) -> Span | None:
    """Of the difference from the first, drawn from the first's mean; None for the first itself, or without interval."""
    name, first = setting.optimizer, _first(task).optimizer if task.comparison.methods else None
    if task.chosen_by == "test" or first is None or name == first or name not in task.comparison.methods:
        return None
    d = task.comparison.between(first, name)
    if not d.has_interval:
        return None
    sign = 1 if d.a == first else -1
    middle, half = 100 * (_mean(_first(task)) - sign * d.difference), 100 * (d.high - d.low) / 2
    return Span(middle, middle - half, middle + half)


def _first(task: Task) -> Setting:
    """The uppermost that has a mean, which is the one of highest validation accuracy where this chose."""
    return next(setting for setting in task.compared if setting.optimizer in task.comparison.methods)


def _mean(setting: Setting) -> float:
    return mean(list(setting.final().values()))


def _band(place: Callable[[float], float], first: float, span: Span) -> Ends:
    """Its left end and its width, cut at the picture's edges."""
    half = span.high - span.middle
    left, right = max(0.0, place(first - half)), min(100.0, place(first + half))
    return left, round(right - left, 2)


def _mean_words(values: Sequence[float]) -> str:
    if not values:
        return "–"
    return f"{mean(values):.2f}" + (f" ± {standard_deviation(values):.2f}" if len(values) > 1 else "")


def _lost(setting: Setting) -> str:
    return f"{setting.diverged()} of {len(setting.scores())} diverged" if setting.diverged() else ""


def unbroken(sentence: str) -> str:
    """A sentence without line breaks between a number, its deviation and its unit."""
    return sentence.replace(" ± ", "\u00a0±\u00a0").replace(" %", "\u00a0%")


def _range(values: Sequence[float]) -> Ends:
    low, high = min(values, default=0.0), max(values, default=100.0)
    return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> list[tuple[float, int]]:
    """Round numbers between the ends, each with the digits that their step needs."""
    power = math.floor(math.log10((high - low) / MOST_TICKS))
    step = next(s * 10.0**power for s in (1, 2, 5, 10, 20) if (high - low) / (s * 10.0**power) <= MOST_TICKS)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(k * step, digits) for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
