"""What the charts show are the runs' numbers."""

import json
import math

import pytest
from made_runs import change_record, make_config, make_rows, make_run, make_study, write_finished_run

from sweeper.aggregate.tasks import group_tasks
from sweeper.report.charts import lr_charts, noise_charts, profile_tables, seed_charts
from sweeper.report.curve_data import curve_data
from sweeper.report.curves import read_curve
from sweeper.report.looks import looks
from sweeper.runs.results import read_results

NOISE = {"name": "symmetric", "kind": "symmetric", "rate": 0.4, "seed": 0}


@pytest.fixture
def study(tmp_path):
    """`study()`: tasks and curves of the runs made in tmp_path."""

    def read():
        runs = read_results([tmp_path]).runs
        return group_tasks(runs), {run.path: read_curve(run) for run in runs}

    return read


def test_curves_are_each_seeds_in_percent(tmp_path, study):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, seed=2, accuracy=0.8)
    (task,) = curve_data(*study())
    (setting,) = task["settings"]
    assert (setting["epochs"], setting["steps"]) == ([1, 2, 3], [20, 40, 60])
    assert [run["seed"] for run in setting["runs"]] == [1, 2]
    assert setting["runs"][1]["metrics"]["test_accuracy"] == [70, 81, 80]
    assert setting["runs"][0]["seconds"] == [0.5, 1.0, 1.5] and task["no_seconds"] == ""


def test_seconds_of_shared_devices_are_not_even_in_the_page(tmp_path, study):
    make_study(tmp_path, epochs=3, rates=(0.0,))
    for file in list(tmp_path.rglob("run.json"))[:1]:
        file.write_text(file.read_text().replace('"shared_device": false', '"shared_device": true'))
    (task,) = curve_data(*study())
    assert "shared" in task["no_seconds"]
    assert not any("seconds" in run for setting in task["settings"] for run in setting["runs"])


def test_final_stands_beside_best(tmp_path, study):
    make_run(tmp_path, seed=1)
    make_run(tmp_path, "diverged", seed=2)
    (chart,) = seed_charts(study()[0])
    final, best = chart["series"]
    assert (final["y"], final["text"]) == ([90.0], ["seed 1"]) and chart["x"]["labels"] == ["sgd"]
    assert best["y"] == pytest.approx([91.0])


def test_noise_runs_from_clean_labels_on(tmp_path, study):
    make_study(tmp_path, optimizers=("sgd", "lion"), rates=(0.0, 0.2, 0.4), epochs=5)
    tasks, curves = study()
    final, clean, corrupted = noise_charts(tasks, curves)
    assert [one["name"] for one in final["series"]] == ["lion", "sgd"]
    assert [one["x"] for one in (final["series"][0], clean["series"][0])] == [[0, 20, 40], [0, 20, 40]]
    assert corrupted["series"][0]["x"] == [20, 40]  # without wrong labels there is none to be learnt
    sgd = next(s for s in tasks[0].compared if s.optimizer == "sgd")
    assert final["series"][1]["y"][0] == pytest.approx(100 * sgd.row["final_test_accuracy_mean"])
    assert final["series"][1]["error"][0] == pytest.approx(100 * sgd.row["final_test_accuracy_std"])


def test_equal_points_stand_side_by_side(tmp_path, study):
    for seed in (1, 2, 3):
        make_run(tmp_path, seed=seed)
    (chart,) = seed_charts(study()[0])
    for one in chart["series"]:
        assert len(set(one["x"])) == 3 and len(set(one["y"])) == 1


def test_an_optimizer_looks_the_same_in_every_chart(tmp_path, study):
    make_study(tmp_path, epochs=4, rates=(0.0, 0.2))
    tasks, curves = study()
    wanted = {name: look.indices() for name, look in looks(["adam", "adamw", "lion", "muon", "sgd"]).items()}
    drawn = [s for task in curve_data(tasks, curves) for s in task["settings"]]
    drawn += [one for chart in noise_charts(tasks, curves) for one in chart["series"]]
    drawn += [one for chart in seed_charts(tasks) for one in chart["series"]]
    drawn += profile_tables(tasks)["chart"]["series"]
    names = [(one.get("toggle") or one.get("optimizer") or one["name"]) for one in drawn]
    assert set(names) == set(wanted)
    assert all(one["look"] == wanted[name] for name, one in zip(names, drawn, strict=True))


def test_one_rate_of_noise_is_no_chart(tmp_path, study):
    make_run(tmp_path, noise=NOISE)
    tasks, curves = study()
    assert noise_charts(tasks, curves) == []


def test_human_labels_are_not_taken_for_clean_ones(tmp_path, study):
    """Their rate stands as 0 in the configuration."""
    make_run(tmp_path, noise={"name": "human", "kind": "human", "rate": 0.0, "seed": 0})
    make_run(tmp_path, noise=NOISE)
    tasks, curves = study()
    assert [task.label for task in tasks] == [
        "digits, cnn, human label noise",
        "digits, cnn, 40 % symmetric label noise",
    ]
    assert noise_charts(tasks, curves) == []


def test_noise_charts_of_two_recipes_say_which(tmp_path, study):
    for decay in (False, True):
        for rate in (0.2, 0.4):
            make_run(tmp_path, noise=NOISE | {"rate": rate}, decay_norms_and_biases=decay)
    tasks, curves = study()
    name = "digits, cnn, symmetric noise"
    titles = {chart["title"].rpartition(": ")[0] for chart in noise_charts(tasks, curves)}
    assert titles == {f"{name}, decay_norms_and_biases {text}" for text in ("false", "true")}


def test_noise_of_another_length_is_not_joined(tmp_path, study):
    make_run(tmp_path, epochs=30)
    make_run(tmp_path, noise=NOISE)
    tasks, curves = study()
    assert noise_charts(tasks, curves) == []


def test_learning_rates_show_the_best_setting_of_each_and_no_diverged_one(tmp_path, study):
    for lr, decay, accuracy in ((0.1, 0.1, 0.8), (0.1, 0.2, 0.9), (0.2, 0.1, 0.7)):
        make_run(tmp_path, accuracy=accuracy, optimizer__lr=lr, optimizer__weight_decay=decay)
    make_run(tmp_path, "diverged", optimizer__lr=10.0)
    (chart,) = lr_charts(study()[0])
    (series,) = chart["series"]
    assert series["x"] == [0.1, 0.2] and series["y"] == pytest.approx([90, 70])


def test_one_learning_rate_is_no_chart(tmp_path, study):
    make_run(tmp_path)
    make_run(tmp_path, "diverged", optimizer__lr=10.0)
    assert lr_charts(study()[0]) == []


def aim(tmp_path, optimizer, seed, accuracies, **changes):
    config = make_config(optimizer, seed, target_accuracy=0.5, **changes)
    return write_finished_run(tmp_path, config, make_rows(accuracies), {})


def test_the_profile_counts_steps_and_never_drops_what_was_not_reached(tmp_path, study):
    for seed in (1, 2, 3):
        aim(tmp_path, "sgd", seed, [0.6, 0.7])
        aim(tmp_path, "adam", seed, [0.1, 0.6])
        aim(tmp_path, "lion", seed, [0.1, 0.2])
        aim(tmp_path, "sgd", seed, [0.1, 0.2], noise=NOISE)
        aim(tmp_path, "adam", seed, [0.1, 0.6], noise=NOISE)
        aim(tmp_path, "lion", seed, [0.1, 0.2], noise=NOISE)
    found = profile_tables(study()[0])
    assert [target for _, target in found["tasks"]] == [0.5, 0.5]
    assert {name: times for name, times, _ in found["rows"]} == {
        "sgd": [20, math.inf],
        "adam": [40, 40],
        "lion": [math.inf, math.inf],
    }
    scores = {name: score for name, _, score in found["rows"]}
    assert scores == {"sgd": 0.5, "adam": pytest.approx((2 / 3 + 1) / 2), "lion": 0}
    adam = next(one for one in found["chart"]["series"] if one["name"] == "adam")
    assert (adam["x"], adam["y"]) == ([1, 2, 4], [50, 100, 100])


def test_a_diverged_run_is_a_failure_in_the_profile(tmp_path, study):
    aim(tmp_path, "sgd", 1, [0.6, 0.7])
    for seed in (2, 3):
        make_run(tmp_path, "diverged", seed=seed, target_accuracy=0.5, epochs=3)
    found = profile_tables(study()[0])
    assert found["rows"] == [("sgd", [math.inf], 0)]


def test_a_run_that_diverged_after_the_target_never_reached_it(tmp_path, study):
    """Its record has the steps to the epoch that reached the target."""
    for seed in (1, 2, 3):
        change_record(make_run(tmp_path, "diverged", seed=seed, target_accuracy=0.5), result__steps_to_target=20)
        aim(tmp_path, "adam", seed, [0.1, 0.2, 0.6])
    found = profile_tables(study()[0])
    assert found["rows"] == [("adam", [60], 1), ("sgd", [math.inf], 0)]


def test_an_optimizer_that_was_not_run_everywhere_is_named_and_left_out(tmp_path, study):
    aim(tmp_path, "sgd", 1, [0.6, 0.7])
    aim(tmp_path, "lion", 1, [0.6, 0.7])
    aim(tmp_path, "sgd", 1, [0.6, 0.7], noise=NOISE)
    found = profile_tables(study()[0])
    assert [name for name, _, _ in found["rows"]] == ["sgd"] and found["left_out"] == ["lion"]


def test_without_a_target_there_is_no_profile(tmp_path, study):
    make_run(tmp_path)
    assert profile_tables(study()[0]) is None


def test_all_of_it_is_json(tmp_path, study):
    """A gap is null; NaN and infinity are no JSON."""
    make_study(tmp_path, epochs=3)
    path = make_run(tmp_path, "diverged", seed=9) / "metrics.csv"
    path.write_text(path.read_text().replace("0.3333333333333333", "inf"))
    tasks, curves = study()
    data = [curve_data(tasks, curves), seed_charts(tasks), noise_charts(tasks, curves), lr_charts(tasks)]
    assert "null" in json.dumps(data, allow_nan=False)
