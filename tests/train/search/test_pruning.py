"""The bars of a search stop what Optuna's median pruner stops."""

import random

import optuna

from sweeper.train.search.pruning import median_bars, why_pruned


def test_the_bars_stop_what_optunas_median_pruner_stops():
    numbers = random.Random(0)
    for _ in range(30):
        curves = [{epoch: numbers.random() for epoch in range(1, 6)} for _ in range(numbers.randrange(1, 8))]
        study = optuna.create_study(direction="maximize")
        for curve in curves:
            study.add_trial(optuna.trial.create_trial(value=curve[5], intermediate_values=curve))
        run = [numbers.random() * 0.8 for _ in range(5)]
        bars = median_bars(curves, 5, startup_trials=3, warmup_epochs=1)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2)
        stops = []
        for epochs in range(1, 5):
            so_far = dict(enumerate(run[:epochs], 1))
            trial = optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING, intermediate_values=so_far, value=None
            )
            stops.append(pruner.prune(study, trial))
        first = stops.index(True) + 1 if True in stops else None
        reason = why_pruned(run, bars)
        assert reason is None if first is None else f"after epoch {first}:" in reason
