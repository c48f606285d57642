"""What a search is put together from: bars, first trials, batches."""

import dataclasses

from sweeper.config.grid import compose_grid
from sweeper.train.search.pruning import median_bars, why_pruned
from sweeper.train.search.trials import Trials
from tests.train.search.test_carry_out import SEARCH


def test_the_bars_stop_what_optunas_median_pruner_stops():
    import random

    import optuna

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


def test_the_size_of_a_batch_stays_whatever_the_machine_unless_another_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    sgd, adam = (compose_grid([*SEARCH, f"optimizer={name}"]).search for name in ("sgd", "adam"))
    assert Trials(tmp_path / "search.db", sgd).at_once(lambda: 3) == 3
    assert Trials(tmp_path / "search.db", adam).at_once(lambda: 5) == 3
    asked = dataclasses.replace(sgd, options={**sgd.options, "trials_at_once": 2})
    assert Trials(tmp_path / "search.db", asked).at_once(lambda: 5) == 2


def test_a_first_trial_that_was_not_begun_when_all_was_killed_is_begun(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    search = compose_grid([*SEARCH, "optimizer=sgd"]).search
    kept = Trials(tmp_path / "search.db", search)
    kept.studies["sgd"].enqueue_trial({"lr_factor": 1.0, "weight_decay_factor": 1.0})
    assert kept.ask("sgd", 0) == {"lr_factor": "1.0", "weight_decay_factor": "1.0"} == kept.ask("sgd", 0)
    assert [trial.state.name for trial in kept.of("sgd")] == ["RUNNING"]
