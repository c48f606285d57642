"""The best settings of a search are run again with fresh seeds, by a command that is made of their records."""

import csv
import errno
import itertools
import os

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.search import chosen_settings, confirmed_accuracies
from sweeper.aggregate.summary import summarize
from sweeper.aggregate.sweep_answers import answer_sweep
from sweeper.aggregate.tables import show
from sweeper.aggregate.tasks import group_tasks
from sweeper.choose import confirm as module
from sweeper.choose.choice import choose
from sweeper.choose.command import main
from sweeper.choose.confirm import best_settings, confirm, fresh_seeds
from sweeper.runs.confirmations import read_confirmations, record_confirmation
from sweeper.runs.results import read_results
from sweeper.system.errors import BadInput

HELD_OUT = {"name": "digits", "loader": "sweeper.datasets.digits", "validation_fraction": 0.1}


def add(outputs, lr, validation, seed=101, decay=0.0005, status="completed", optimizer="sgd", again=False):
    config = {"optimizer__lr": lr, "optimizer__weight_decay": decay, "seed": seed}
    run = make_run(outputs, status, dataset=HELD_OUT, optimizer=optimizer, **config)
    change_record(run, result__final_val_accuracy=validation)
    if again:
        record_confirmation(outputs, [run])
    return run


@pytest.fixture
def task(tmp_path):
    """Nine settings of sgd; the second best of the search is the best of those that are run again."""

    def make(again=()):
        for lr, decay in itertools.product((0.01, 0.1, 1.0), (0.1, 0.2, 0.3)):
            add(tmp_path, lr, 0.8 + (lr == 0.1) * 0.05 + (decay == 0.2) * 0.05 + decay / 100, decay=decay)
        for seed, (decay, validation) in itertools.product((102, 103), again):
            add(tmp_path, 0.1, validation, seed, decay, again=True)
        (found,) = group_tasks(read_results([tmp_path]).runs)
        return found

    return make


def test_the_best_by_the_searchs_own_seed_whatever_came_later(task):
    for again in ((), ((0.2, 0.5), (0.3, 0.99))):
        found = task(again)
        assert fresh_seeds(found) == [102, 103]
        best, said = best_settings(found, "sgd", 2)
        values = [setting.config["optimizer"] for setting in best]
        assert ([(own["lr"], own["weight_decay"]) for own in values], said) == ([(0.1, 0.2), (0.1, 0.3)], "")


def test_the_fresh_seeds_alone_choose(task, tmp_path):
    found = task(((0.2, 0.80), (0.3, 0.86)))
    (chosen,) = chosen_settings(found)
    assert chosen.config["optimizer"]["weight_decay"] == 0.3
    assert list(confirmed_accuracies(found, "sgd").values()) == pytest.approx([0.86, 0.80])
    told = choose([str(tmp_path)])
    assert "sgd:  # 86.00 %, with seeds 102 and 103, the best of 2 run again, of 9 trials" in told
    assert "; 2 run again with seeds 102, 103: 86.00 %, 80.00 %; chosen: " in told


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (((0.2, 0.80), (0.3, 0.86)), "sgd: the confirmed choice lies on the edge, weight_decay highest; "),
        (((0.2, 0.86), (0.3, 0.86)), ""),  # of equal ones that inside, as where the grid is extended
        (((0.2, 0.80), (0.3, 0.70)), ""),
    ],
)
def test_a_confirmed_choice_on_the_edge_is_told(task, tmp_path, capsys, again, said):
    task(again)
    assert main([str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert told.startswith(said) and bool(told) == bool(said) and told.count("\n") == bool(said)
    assert not said or told.endswith(
        "experiment=tune is extended by the same command given again; then confirm again\n"
    )


def test_what_was_searched_and_what_was_confirmed_are_two_columns(task, tmp_path):
    task(((0.2, 0.80), (0.3, 0.86)))
    choose([str(tmp_path)])
    rows = list(csv.DictReader((tmp_path / "search.csv").read_text().splitlines()))
    assert list(rows[0])[-4:] == ["chosen", "search_seeds", "confirmed_val_accuracy", "confirmation_seeds"]
    found = {
        row["weight_decay"]: [row[name] for name in ("final_val_accuracy", *list(rows[0])[-4:])]
        for row in rows
        if row["lr"] == "0.1"
    }
    assert [float(found[decay][0]) for decay in ("0.1", "0.2", "0.3")] == pytest.approx([0.851, 0.902, 0.853])
    assert found["0.1"][1:] == ["false", "101", "", ""] and found["0.2"][1:] == ["false", "101", "0.8", "102 103"]
    assert found["0.3"][1:] == ["true", "101", "0.86", "102 103"]
    tuned = list(csv.DictReader((tmp_path / "tuning.csv").read_text().splitlines()))
    assert float(tuned[0]["best_val_accuracy"]) == pytest.approx(0.902), "of all, by the search's own seed"


def test_without_a_confirmation_there_is_no_column_of_it(task, tmp_path):
    task()
    choose([str(tmp_path)])
    assert (tmp_path / "search.csv").read_text().splitlines()[0].endswith(",final_val_accuracy,chosen")


def test_tables_and_the_closing_line_agree_with_the_choice(task, tmp_path):
    """By the fresh seeds; the mean over all would set 0.2 first."""
    found = task(((0.2, 0.80), (0.3, 0.83)))
    said = answer_sweep(found)
    assert said == "Best by validation accuracy: sgd, lr 0.1, weight_decay 0.3 with 83.00 ± 0.00 % (n = 2)."
    rows = summarize(read_results([tmp_path]).runs).rows
    assert [row["weight_decay"] for row in rows[:2]] == [0.3, 0.2] and rows[0]["n"] == 3
    assert rows[2]["final_val_accuracy_mean"] > rows[0]["final_val_accuracy_mean"]  # of the search's own seed
    shown = show(summarize(read_results([tmp_path]).runs)).blocks[0].rows
    assert shown[0][-1] == "83.00 ± 0.00 % (n = 2)" and shown[2][-1].endswith("(n = 1)")


def test_a_search_of_several_seeds_that_was_stopped_is_no_confirmation(tmp_path):
    for lr, validation in ((0.01, 0.5), (0.03, 0.55), (0.1, 0.6), (0.3, 0.7), (1.0, 0.89)):
        add(tmp_path, lr, validation)
        if lr < 0.1:
            add(tmp_path, lr, validation + 0.04, seed=102)
    told = choose([str(tmp_path)])
    assert "sgd:  # 89.00 %, the best of 5 trials\n  lr: 1" in told


def test_the_best_counts_where_two_of_its_seeds_failed(tmp_path):
    for lr, seed in itertools.product((0.03, 0.1, 0.3), (1, 2, 3)):
        lost = lr == 0.3 and seed > 1
        add(tmp_path, lr, 0.5 + lr, seed, status="failed" if lost else "completed")
    (found,) = group_tasks(read_results([tmp_path]).runs)
    (chosen,) = chosen_settings(found)
    assert chosen.config["optimizer"]["lr"] == 0.3 and fresh_seeds(found) == [4, 5]


def test_the_runs_are_named_before_they_begin(tmp_path, monkeypatch):
    """Those of a second confirmation, after more cells, beside those of the first."""
    seen, commands = [], []

    def run(command, variables):
        commands.append(command)
        seen.append(read_confirmations(tmp_path))
        return 0

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr("sweeper.datasets.here.ImagesHere.hash", lambda self, config: "d" * 8)
    monkeypatch.setattr(module, "_check", lambda grid, arms: None)  # a made run's configuration is not a whole one
    for lr in (0.01, 0.03, 0.1, 0.3):
        add(tmp_path, lr, 0.5 + lr)
    confirm([str(tmp_path)], 2)
    for lr in (0.4, 0.45):
        add(tmp_path, lr, 0.5 + lr)
    (tmp_path / "own").mkdir()
    confirm([str(tmp_path)], 2, (), str(tmp_path / "own"))
    assert commands[-1][3:5] == ["--config-dir", str(tmp_path / "own")] and "--config-dir" not in commands[0]
    assert [len(runs) for runs in seen] == [4, 8] and seen[0] < seen[1]
    assert all("-seed102-" in run or "-seed103-" in run for run in seen[1])


def test_this_machines_cores_train_it_not_those_that_the_search_had(tmp_path, monkeypatch):
    """64 threads on 2 cores take a hundred times as long."""
    commands = []
    monkeypatch.setattr(module, "run", lambda command, variables: commands.append(command) or 0)
    monkeypatch.setattr("sweeper.datasets.here.ImagesHere.hash", lambda self, config: "d" * 8)
    monkeypatch.setattr(module, "_check", lambda grid, arms: None)
    for lr in (0.01, 0.03, 0.1, 0.3):
        run = add(tmp_path, lr, 0.5 + lr)
        change_record(run, environment__device="cpu", environment__threads=64)
    assert confirm([str(tmp_path)], 2) == 0 and not any("threads" in word for word in commands[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "digits"], "--name digits: there is a data set or a preset of this name"),
        (["--name", "tuned"], "is of another choice; keep it by another --name NAME, or take this by --replace"),
    ],
)
def test_what_a_preset_can_not_be_is_refused_before_training(task, tmp_path, capsys, monkeypatch, words, said):
    task()
    monkeypatch.setattr(module, "run", lambda *given, **more: pytest.fail("it trained"))
    write = [str(tmp_path), "--write", str(tmp_path / "mine")]
    assert main(write) == 0
    add(tmp_path, 0.1, 0.99, decay=0.25)
    assert main([*write, "--confirm", "2", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_full_disk_is_told_before_training(task, tmp_path, monkeypatch):
    def full(outputs, runs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(outputs / "confirmations.json"))

    task()
    monkeypatch.setattr(module, "run", lambda *given: pytest.fail("it trained"))
    monkeypatch.setattr(module, "_check", lambda grid, arms: None)
    monkeypatch.setattr("sweeper.datasets.here.ImagesHere.hash", lambda self, config: "d" * 8)
    monkeypatch.setattr(module, "record_confirmation", full)
    with pytest.raises(BadInput) as told:
        confirm([str(tmp_path)], 2)
    why = "can't be written: No space left on device; make room there, or make it writable; the same command goes on"
    assert str(told.value) == f"{tmp_path}/confirmations.json: {why}"


def test_other_images_than_the_searchs_are_refused_before_training(task, tmp_path, monkeypatch):
    task()
    monkeypatch.setattr(module, "run", lambda *given: pytest.fail("it trained"))
    monkeypatch.setattr(module, "_check", lambda grid, arms: None)
    monkeypatch.setattr("sweeper.datasets.here.ImagesHere.hash", lambda self, config: "e" * 8)
    told = r"^the images here are others \(hash e{8}\) than the search's \(hash d{8}\); put the search's back, or begin"
    with pytest.raises(BadInput, match=told):
        confirm([str(tmp_path)], 2)
    assert not read_confirmations(tmp_path)


def test_a_confirmation_on_other_images_is_not_dropped_without_a_word(task, tmp_path, capsys):
    task(((0.2, 0.80), (0.3, 0.86)))
    run = next(tmp_path.glob("*/sgd-seed103-*"))
    change_record(run, environment__data_digest="e" * 64)
    assert main([str(tmp_path)]) == 2
    told = f"error: {run}: confirms on other images (hash eeeeeeee) than the search had (hash dddddddd); move it away, "
    assert capsys.readouterr().err == f"{told}put the search's back, and confirm again\n"


def test_too_few_settings_are_not_confirmed(tmp_path, capsys):
    for lr in (0.1, 0.2):
        add(tmp_path, lr, lr)
    with pytest.raises(BadInput, match="no optimizer has settings to confirm"):
        confirm([str(tmp_path)], 2)
    assert capsys.readouterr().err == "sgd: 2 completed settings, too few to confirm the best 2\n"
    with pytest.raises(BadInput, match="--confirm 1: the best are confirmed against one another"):
        confirm([str(tmp_path)], 1)


def test_ties_and_what_is_missing_are_one_line(tmp_path):
    for lr, validation in ((0.1, 0.9), (0.2, 0.8), (0.3, 0.8), (0.4, 0.7), (0.5, 0.6)):
        add(tmp_path, lr, validation)
    add(tmp_path, 0.6, 0.0, status="failed")
    (found,) = group_tasks(read_results([tmp_path]).runs)
    _, said = best_settings(found, "sgd", 2)
    missing = "1 of 6 settings not finished"
    assert said == f"sgd: {missing}; 2 settings tie with 80.00 % about place 2; those of lowest lr are taken"


def test_a_record_that_names_code_is_not_run(task, tmp_path, monkeypatch):
    task()
    for file in tmp_path.rglob("run.json"):
        file.write_text(file.read_text().replace('"overrides": [', '"overrides": ["+model._target_=os.system", '))
    monkeypatch.setattr(module, "run", lambda command: pytest.fail(f"ran {command}"))
    with pytest.raises(BadInput):
        confirm([str(tmp_path)], 2)
