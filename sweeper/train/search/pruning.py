"""Median pruning: which of a search's runs are stopped early, by validation accuracy.

The rule is that of Optuna's MedianPruner (Vizier's median stopping rule, Golovin et al. 2017, section 3.2.2). A run's
thresholds are fixed before it starts, so a resume or another machine doesn't change the decision.
"""

import statistics
from collections.abc import Mapping, Sequence


def median_bars(
    curves: Sequence[Mapping[int, float]], epochs: int, startup_trials: int, warmup_epochs: int
) -> list[float | None] | None:
    """For each epoch, from 1, the accuracy below which a run is pruned; None for an epoch without pruning.

    Args:
        curves: validation accuracy in [0, 1] by epoch, of each earlier completed trial.
        startup_trials: with fewer curves nothing is pruned.
        warmup_epochs: the number of first epochs without pruning. The last epoch has none either.
    """
    if len(curves) < max(1, startup_trials):
        return None
    bars: list[float | None] = []
    for epoch in range(1, epochs + 1):
        values = [curve[epoch] for curve in curves if epoch in curve]
        judged = warmup_epochs < epoch < epochs and values
        bars.append(statistics.median(values) if judged else None)
    return bars if any(bar is not None for bar in bars) else None


def why_pruned(accuracies: Sequence[float | None], bars: Sequence[float | None] | None) -> str | None:
    """Why a run with these accuracies, one per epoch, is to be pruned; None if it continues."""
    best = 0.0
    for epoch, (accuracy, bar) in enumerate(zip(accuracies, bars or (), strict=False), 1):
        best = max(best, accuracy or 0.0)
        if bar is not None and best < bar:
            median = f"{100 * bar:.2f} %, the median of the search's earlier trials"
            return f"pruned after epoch {epoch}: best validation accuracy {100 * best:.2f} %, below {median}"
    return None
