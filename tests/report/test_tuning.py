"""Tuning on the page: maps, expected best, the table."""

import pytest
from made_runs import change_record, make_run

from sweeper.aggregate.tasks import group_tasks
from sweeper.report.command import report
from sweeper.report.tuning import SPAN, tuning_charts, tuning_table
from sweeper.report.tuning_figures import map_figure
from sweeper.runs.results import read_results

RATES, DECAYS = (0.01, 0.1, 1.0), (0.001, 0.01)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A grid of each of two optimizers; of sgd a trial diverged, one was pruned and one is far below the others."""
    folder = tmp_path_factory.mktemp("search")
    for optimizer in ("lion", "sgd"):
        for i, lr in enumerate(RATES):
            for j, decay in enumerate(DECAYS):
                config = {"optimizer": optimizer, "optimizer__lr": lr, "optimizer__weight_decay": decay}
                if optimizer == "sgd" and (i, j) in ((2, 1), (2, 0)):
                    make_run(folder, ("pruned", "diverged")[j], error="x", **config)
                    continue
                accuracy = 0.3 if (optimizer, i, j) == ("sgd", 0, 0) else 0.9 - 0.02 * abs(i - 1) + 0.01 * j
                change_record(make_run(folder, **config), result__final_val_accuracy=accuracy)
    return folder


@pytest.fixture(scope="module")
def tasks(folder):
    return group_tasks(read_results([folder]).runs)


def test_a_map_has_every_trial_and_rings_the_chosen_one(tasks):
    lion, sgd, expected = tuning_charts(tasks)
    assert lion["title"] == "lion: chosen lr 0.1, weight_decay 0.01; weight_decay highest, on the edge: extend"
    assert (lion["x"]["ticks"], lion["x"]["log"]) == (list(RATES), True) and lion["y"]["ticks"] == list(DECAYS)
    completed, pruned, diverged, chosen = sgd["series"]
    assert [len(one["x"]) for one in sgd["series"]] == [4, 1, 1, 1]
    assert (pruned["x"], diverged["x"], diverged["y"]) == ([1.0], [1.0], [0.01]) and "heat" not in diverged
    assert (chosen["x"], chosen["y"], chosen["text"]) == ([0.1], [0.01], ["chosen: 91.00 %"])
    assert (
        dict(zip(zip(completed["x"], completed["y"], strict=True), completed["heat"], strict=True))[0.1, 0.01] == 91.0
    )
    assert sgd["heat"] == pytest.approx([91 - SPAN, 91]) and lion["heat"] == pytest.approx([88, 91])
    assert [one["name"] for one in expected["series"]] == ["lion", "sgd"]
    assert expected["series"][0]["y"][0] == pytest.approx((90 + 88 + 88 + 91 + 89 + 89) / 6)


def test_the_table_has_space_budget_edge_and_how_many_came_near(tasks):
    lion, sgd = ([cell.text for cell in line.cells] for line in tuning_table(tasks).rows)
    assert lion[:3] == ["lion", "lr 0.1, weight_decay 0.01", "91.00"]
    assert lion[3:5] == ["weight_decay highest, on the edge: extend", "1 of 6"]
    assert lion[5:] == ["lr 0.01, 0.1, 1 × weight_decay 0.001, 0.01", "6 trials, 18 epochs"]
    assert sgd[6] == "6 trials (1 pruned, 1 diverged), 18 epochs"


def test_the_page_shows_both(folder):
    (page,) = report([str(folder)])
    text = page.read_text(encoding="utf-8")
    assert 'id="tuning-table"' in text and 'id="tuning-charts"' in text and "on the edge: extend" in text


def test_with_the_rate_alone_there_is_no_map_and_without_a_search_nothing(tmp_path):
    make_run(tmp_path)
    assert tuning_charts(group_tasks(read_results([tmp_path]).runs)) == []
    assert tuning_table(group_tasks(read_results([tmp_path]).runs)).rows == []
    for lr in (0.2, 0.3):
        change_record(make_run(tmp_path / "more", optimizer__lr=lr), result__final_val_accuracy=lr)
    (chart,) = tuning_charts(group_tasks(read_results([tmp_path / "more"]).runs))
    assert chart["title"] == "expected best by number of trials"


def test_trials_drawn_from_intervals_are_small_marks(tmp_path, tasks):
    for k in range(10):
        run = make_run(tmp_path, optimizer__lr=0.01 * 1.3**k, optimizer__weight_decay=0.001 * 1.7**k)
        change_record(run, result__final_val_accuracy=0.5 + 0.01 * k)
    drawn, _ = tuning_charts(group_tasks(read_results([tmp_path]).runs))
    grid = tuning_charts(tasks)[0]
    assert (grid["grid"], drawn["grid"]) == (True, False) and drawn["x"]["ticks"] is None
    assert drawn["series"][0]["size"] < grid["series"][0]["size"]
    (axes,) = map_figure([drawn]).axes
    assert not axes.texts


def test_a_decay_of_zero_has_a_linear_axis(tmp_path):
    for lr in (0.2, 0.3):
        for decay in (0.0, 0.1):
            run = make_run(tmp_path, optimizer__lr=lr, optimizer__weight_decay=decay)
            change_record(run, result__final_val_accuracy=lr + decay)
    chart, _ = tuning_charts(group_tasks(read_results([tmp_path]).runs))
    assert chart["x"]["log"] and "log" not in chart["y"]
