"""The table of a search: each optimizer's best trial by validation accuracy, and how its budget went."""

import pytest

from sweeper.config.grid import compose_grid
from sweeper.runs.status import Status
from sweeper.train.search.table import search_table
from sweeper.train.search.trials import Trials
from tests.train.search.test_carry_out import SEARCH


@pytest.fixture
def trials(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Trials(tmp_path / "search.db", compose_grid([*SEARCH, "hydra.sweeper.trials=3"]).search)


def cells(trials) -> dict[str, list[str]]:
    """Each optimizer's row, by words."""
    lines = search_table(trials, "outputs").splitlines()
    return {line.split()[0]: line.split() for line in lines if line.startswith(("sgd", "adam"))}


def test_the_best_completed_trial_is_shown_and_every_trial_is_counted(trials):
    asked = [trials.ask("sgd", number) for number in range(3)]
    trials.tell("sgd", 0, Status.COMPLETED, {1: 0.5, 2: 0.6, 3: 0.7}, 3, 0.7)
    trials.tell("sgd", 1, Status.COMPLETED, {1: 0.5, 2: 0.7, 3: 0.8}, 3, 0.8)
    trials.tell("sgd", 2, Status.PRUNED, {1: 0.9, 2: 0.9}, 2, None)
    best = trials.search.trial("sgd", asked[1])[0].config["optimizer"]
    found = cells(trials)
    assert found["sgd"][1:5] == ["80.00", "%", str(best["lr"]), str(best["weight_decay"])]
    assert found["sgd"][5:11] == ["3", "2", "1", "0", "0", "8"]  # trials, completed, pruned, diverged, open, epochs
    assert found["adam"] == ["adam", "–", "–", "–", "0", "0", "0", "0", "0", "0"]


def test_a_diverged_trial_is_no_best_one_and_an_open_one_is_said(trials):
    trials.ask("adam", 0)
    trials.tell("adam", 0, Status.DIVERGED, {1: 0.9}, 2, None)
    trials.ask("adam", 1)
    assert cells(trials)["adam"] == ["adam", "–", "–", "–", "2", "0", "0", "1", "1", "2"]
    told = search_table(trials, "outputs")
    assert "open trials failed or were stopped; the same command goes on with them" in told
    assert "sweeper.choose" not in told  # there is nothing to write


def test_a_best_value_at_the_edge_of_its_interval_is_named_and_the_command_quotes_its_folder(trials, monkeypatch):
    values = {"lr_factor": "9.9", "weight_decay_factor": "1.0"}
    trials.studies["sgd"].enqueue_trial({name: float(value) for name, value in values.items()})
    assert trials.ask("sgd", 0) == values
    trials.tell("sgd", 0, Status.COMPLETED, {3: 0.5}, 3, 0.5)
    told = search_table(trials, "my outputs")
    (row,) = (line for line in told.splitlines() if line.startswith("sgd"))
    assert row.endswith("lr_factor high")
    assert "python -m sweeper.choose 'my outputs' writes them as YAML" in told
