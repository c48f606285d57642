"""How an optimizer was tuned, in numbers and words."""

import itertools
import json
import random
from statistics import fmean

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.tuning import (
    COLUMNS,
    chosen_words,
    describe_tuning,
    edge_advice,
    edge_words,
    expected_best,
    tuning_rows,
    tunings,
)
from sweeper.runs.layout import CONFIRMATIONS_FILE
from sweeper.runs.results import read_results


@pytest.mark.parametrize("trials", [1, 2, 3, 5])
def test_the_expected_best_is_the_mean_over_all_draws(trials):
    """Every draw of n with replacement, counted out; some values are equal."""
    values = [round(random.Random(f"{trials} {k}").random(), 1) for k in range(trials)]
    for n, expected in enumerate(expected_best(values), 1):
        assert expected == pytest.approx(fmean(max(draw) for draw in itertools.product(values, repeat=n)))


def test_of_one_trial_it_is_the_mean_and_it_only_rises():
    values = [0.9, 0.0, 0.85, 0.7]
    found = expected_best(values)
    assert found[0] == pytest.approx(fmean(values)) and found == sorted(found) and found[-1] < 0.9


@pytest.fixture
def search(tmp_path):
    """`search({(lr, weight decay): validation accuracy}) -> Tuning`; in place of an accuracy a status."""

    def make(cells):
        for (lr, decay), ended in cells.items():
            config = {"optimizer__lr": lr, "optimizer__weight_decay": decay}
            if isinstance(ended, float):
                change_record(make_run(tmp_path, **config), result__final_val_accuracy=ended)
            else:
                change_record(make_run(tmp_path, ended, error="x", **config), result__best_val_accuracy=0.5)
        (task,) = group_tasks(read_results([tmp_path]).runs)
        (found,) = tunings(task)
        return found

    return make


def test_a_choice_inside_the_grid(search):
    cells = {(lr, decay): 0.8 for lr in (0.01, 0.1, 1.0) for decay in (0.1, 0.2, 0.3)}
    found = search(cells | {(0.1, 0.2): 0.9, (0.01, 0.1): 0.8949})
    assert (edge_words(found), len(found.near), chosen_words(found)) == (
        "inside the space",
        1,
        "lr 0.1, weight_decay 0.2",
    )
    assert describe_tuning(found) == (
        "sgd: lr 0.01, 0.1, 1 × weight_decay 0.1, 0.2, 0.3; 9 trials, 27 epochs; "
        "1 within half a point of the best; chosen: inside the space"
    )


def test_a_choice_inside_the_grid_says_which_nearly_equal_ones_are_on_its_edge(search):
    cells = {(lr, decay): 0.8 for lr in (0.01, 0.1, 1.0) for decay in (0.1, 0.2, 0.3)}
    found = search(cells | {(0.1, 0.2): 0.9, (0.01, 0.1): 0.895, (0.1, 0.1): 0.898, (1.0, 0.1): 0.8949})
    assert len(found.near) == 3
    assert edge_words(found) == (
        "inside the space, but 2 within half a point of the best on its edge (lr lowest, weight_decay lowest)"
    )


def test_a_best_trial_that_came_after_the_confirmation_asks_for_another(tmp_path):
    for lr, search, again in ((0.1, 0.80, 0.81), (0.3, 0.79, 0.78), (1.0, 0.91, None)):
        change_record(make_run(tmp_path, seed=101, optimizer__lr=lr), result__final_val_accuracy=search)
        if again:
            change_record(make_run(tmp_path, seed=102, optimizer__lr=lr), result__final_val_accuracy=again)
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*seed102*"))
    (tmp_path / CONFIRMATIONS_FILE).write_text(json.dumps({"runs": names}))
    (task,) = group_tasks(read_results([tmp_path]).runs)
    (found,) = tunings(task)
    assert found.chosen.values == {"lr": 0.1} and found.is_best_unconfirmed
    assert edge_words(found).endswith("; but the best, 91.00 %, was not run again: confirm again")
    assert edge_advice(found) == "sgd: the best trial, 91.00 %, came after the confirmation; confirm again"


def test_a_choice_on_the_edge_says_so_and_lost_trials_count(search):
    found = search(
        {(0.1, 0.2): 0.9, (0.01, 0.2): 0.7, (1.0, 0.2): "diverged", (0.2, 0.2): "pruned", (2.0, 0.2): "failed"}
    )
    assert edge_words(found) == "inside the space"
    found = search({(0.1, 0.9): 0.95, (0.1, 0.1): 0.6})
    assert edge_words(found) == "weight_decay highest, on the edge: extend"
    assert sorted(trial.accuracy for trial in found.trials) == [0.0, 0.5, 0.6, 0.7, 0.9, 0.95]
    assert "7 trials (1 pruned, 1 diverged, 1 still open)" in describe_tuning(found)


def test_of_many_values_both_ends_are_told(search):
    found = search({(0.001 * 2**k, 0.1): 0.5 + 0.01 * k for k in range(8)})
    assert "sgd: lr 0.001 to 0.128; 8 trials" in describe_tuning(found)
    rows = tuning_rows([found])
    assert [row["trials"] for row in rows] == list(range(1, 9)) and list(rows[0]) == COLUMNS
    assert rows[-1]["expected_best_val_accuracy"] == found.expected()[-1] and rows[0]["edge"].startswith("lr highest")
