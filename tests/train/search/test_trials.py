"""Trials as a storage keeps them: the size of a batch, and those that were begun or not."""

import dataclasses

from conftest import merged

from sweeper.config.grid import compose_grid
from sweeper.train.search.trials import Trials
from tests.train.search.test_carry_out import SEARCH


def test_the_size_of_a_batch_stays_whatever_the_machine_unless_another_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    sgd, adam = (compose_grid(merged(*SEARCH, f"optimizer={name}")).search for name in ("sgd", "adam"))
    assert Trials(tmp_path / "search.db", sgd).at_once(lambda: 3) == 3
    assert Trials(tmp_path / "search.db", adam).at_once(lambda: 5) == 3
    asked = dataclasses.replace(sgd, options={**sgd.options, "trials_at_once": 2})
    assert Trials(tmp_path / "search.db", asked).at_once(lambda: 5) == 2


def test_a_first_trial_that_was_not_begun_when_all_was_killed_is_begun(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    search = compose_grid(merged(*SEARCH, "optimizer=sgd")).search
    kept = Trials(tmp_path / "search.db", search)
    kept.studies["sgd"].enqueue_trial({"lr_factor": 1.0, "weight_decay_factor": 1.0})
    assert kept.ask("sgd", 0) == {"lr_factor": "1.0", "weight_decay_factor": "1.0"} == kept.ask("sgd", 0)
    assert [trial.state.name for trial in kept.of("sgd")] == ["RUNNING"]
