"""An epoch's results on their way from the device to the host, while the device may go on."""

import math
from typing import Any

from sweeper.engine.pace import Pace
from sweeper.engine.training import Training

Row = dict[str, Any]


class EpochResults:
    """Copies of an epoch's sums and evaluations, which the next epoch leaves alone.

    Attributes:
        turn: waits until the device has written them.
    """

    def __init__(self, epoch: int, parts: Training, pace: Pace) -> None:
        self._epoch, self._steps = epoch, len(parts.sizes)
        self._sums = parts.meter.sums(parts.order.index)
        self._scores = {name: evaluation.score() for name, evaluation in parts.evaluations.items()}
        self.turn = pace.now()

    def arrived(self) -> bool:
        return self.turn.event is None or self.turn.event.query()

    def read(self, bound: float | None) -> tuple[Row, int | None]:
        """The epoch's row of metrics, and the first step of the run, from 1, that diverged; None if none did.

        Args:
            bound: a step diverges if its loss isn't finite or is above `bound`.
        """
        self.turn.wait()
        row: Row = {"epoch": self._epoch, "step": self._epoch * self._steps, **self._sums.metrics()}
        bad_step = self._sums.first_bad_step(bound)
        if bad_step is None:
            for name, score in self._scores.items():
                row |= {f"{name}_{figure}": value for figure, value in score.read().items()}
            if not math.isfinite(row["test_loss"]):
                bad_step = self._steps
        return row, None if bad_step is None else bad_step + (self._epoch - 1) * self._steps

    def median_loss(self) -> float:
        """The median of the losses of the epoch's steps."""
        return self._sums.median_loss()
