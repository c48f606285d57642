"""Extends a tuning's grid by the records of its runs, until each optimizer's best cell lies inside."""

import math
from collections.abc import Sequence
from dataclasses import replace

from sweeper.aggregate.statistics import mean
from sweeper.config.grid import Grid
from sweeper.config.widening import DIVERGED, Axes, Place, Widening, best_place, confirming_seeds, extend
from sweeper.runs.confirmations import ConfirmationsByFolder
from sweeper.runs.record import find_finished
from sweeper.runs.status import Status
from sweeper.system.text import counted

_SHORT = {"lr_factor": "lr", "decay_factor": "decay", "weight_decay_factor": "weight decay"}


def widen(grid: Grid) -> tuple[Grid, list[str]]:
    """The grid with all cells that the finished ones ask for, and a line on each optimizer's grid that has cells to
    train by its latest extension, or can't be extended.

    It depends on the records alone, so the same command finds the same cells. An optimizer with unfinished or failed
    runs isn't extended. A diverged run makes its cell the worst. Where the best cells were confirmed with other seeds,
    the best of these lies inside, too: of all of them, so a confirmation that was stopped extends nothing.
    """
    if grid.widening is None:
        return grid, []
    cells, jobs = list(grid.cells), list(grid.jobs)
    known = {cell.directory for cell in cells}
    said = [f"{optimizer}: has no weight decay, so one axis, lr" for optimizer in grid.widening.one_axis]
    for optimizer, first in grid.widening.axes.items():
        axes, line = _extended(grid.widening, optimizer, first)
        said += [line] if line else []
        for runs in grid.widening.cells(optimizer, axes, grid.widening.seeds).values():
            for cell, overrides in runs:
                if cell.directory not in known:
                    known.add(cell.directory)
                    cells.append(replace(cell, number=len(jobs)))
                    jobs.append(overrides)
    return replace(grid, cells=cells, jobs=jobs), said


def _extended(widening: Widening, optimizer: str, axes: Axes) -> tuple[Axes, str]:
    """An optimizer's grid as far as its records extend it, and a line on what is still to be trained of its latest
    extension, or why it ends on an edge; else ""."""
    line = ""
    for done in range(widening.most + 1):
        known = _scores(widening, optimizer, axes, widening.seeds)
        if len(known) < math.prod(map(len, axes.values())):
            return axes, line
        line = ""  # the cells of this extension are trained
        if max(known.values()) == DIVERGED:
            return axes, f"{optimizer}: every cell diverged, so its grid isn't extended; give a lower lr_factor"
        if (wider := extend(axes, known)) == axes:
            known = _confirmed(widening, optimizer, axes)
            if len(known) < 2 or (wider := extend(axes, known)) == axes:
                return axes, line
        best = _where(axes, best_place(axes, known))
        if done == widening.most:
            more = f"hydra.sweeper.extensions={2 * max(1, done)} goes on"
            return axes, f"{optimizer}: after {counted(done, 'extension')} still best on the edge, {best}; {more}"
        new = ", ".join(
            f"{_SHORT[name]} ×{value:g}" for name in wider for value in wider[name] if value not in axes[name]
        )
        line = f"{optimizer}: best on the edge, {best}; extended by {new}"
        axes = wider
    return axes, line


def _where(axes: Axes, place: Place) -> str:
    return ", ".join(f"{_SHORT[name]} ×{value:g}" for name, value in zip(axes, place, strict=True))


def _confirmed(widening: Widening, optimizer: str, axes: Axes) -> dict[Place, float]:
    """The scores of the places that were confirmed with other seeds; none while a run of the confirmation is left."""
    seeds, confirms = confirming_seeds(widening.seeds), ConfirmationsByFolder().have
    places = widening.cells(optimizer, axes, seeds)
    begun = {place for place, runs in places.items() if any(confirms(cell.directory) for cell, _ in runs)}
    known = _scores(widening, optimizer, axes, seeds)
    return {place: known[place] for place in begun} if begun <= known.keys() else {}


def _scores(widening: Widening, optimizer: str, axes: Axes, seeds: Sequence[int]) -> dict[Place, float]:
    """The mean final validation accuracy of each place whose runs are finished."""
    found = {}
    for place, runs in widening.cells(optimizer, axes, seeds).items():
        records = [find_finished(cell.directory) for cell, _ in runs]
        results = [(record["status"], record["result"] or {}) for record in records if record is not None]
        values = [result.get("final_val_accuracy") for status, result in results if status is Status.COMPLETED]
        if len(results) == len(records):
            known = [value for value in values if value is not None]
            found[place] = mean(known) if len(known) == len(records) else DIVERGED
    return found
