"""Of many runs the page holds the settings' means, so its size doesn't grow with runs and epochs."""

import json
import random

import numpy as np
import pytest
from made_runs import make_config, make_rows, make_run, write_finished_run

from sweeper.aggregate.tasks import group_tasks
from sweeper.report import curve_data as module
from sweeper.report.command import report
from sweeper.report.curve_data import curve_data, share_places
from sweeper.report.curves import read_curve
from sweeper.runs.results import read_results
from sweeper.system import files


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    outputs, numbers = tmp_path_factory.mktemp("many"), random.Random(0)
    for optimizer in ("sgd", "adam"):
        for seed in range(8):
            rows = make_rows([numbers.uniform(0.5, 0.9) for _ in range(100)])
            write_finished_run(outputs, make_config(optimizer, seed, epochs=100), rows, {"device": "cpu"})
    runs = read_results([outputs]).runs
    return group_tasks(runs), {run.path: read_curve(run) for run in runs}


def test_few_runs_are_drawn_one_by_one(study):
    (task,) = curve_data(*study)
    assert all(len(one["runs"]) == 8 and "mean" not in one for one in task["settings"])


def test_of_many_runs_there_are_means_and_the_first_seeds(study, monkeypatch):
    whole = curve_data(*study)
    monkeypatch.setattr(module, "MOST_VALUES", 4_000)
    monkeypatch.setattr(module, "FEW_VALUES", 2_000)
    (task,) = curve_data(*study)
    assert len(json.dumps(task)) < 7 * 4_000 < len(json.dumps(whole))  # seven characters a value
    for one, all_of_it in zip(task["settings"], whole[0]["settings"], strict=True):
        assert 1 <= len(one["runs"]) < 8 and one["epochs"][0] == 1 and one["epochs"][-1] == 100
        mean, places = one["mean"]["metrics"]["test_accuracy"], [all_of_it["epochs"].index(e) for e in (1, 100)]
        values = np.array([run["metrics"]["test_accuracy"] for run in all_of_it["runs"]])[:, places]
        ends = (mean["y"][0], mean["y"][-1], mean["spread"][0], mean["spread"][-1])
        assert mean["n"] == 8
        assert ends == pytest.approx((*values.mean(axis=0), *values.std(axis=0, ddof=1)), rel=1e-3)
        assert len(one["mean"]["seconds"] if "seconds" in one["mean"] else one["epochs"]) == len(one["epochs"])


def test_diverged_runs_are_drawn_to_their_ends_and_none_is_left_out_unsaid(tmp_path, monkeypatch):
    """Of settings that aren't compared, too."""
    for lr in (0.1, 0.2, 0.3):
        for seed in range(3):
            rows = make_rows([0.9 - lr + seed / 100] * 100)
            write_finished_run(
                tmp_path, make_config("sgd", seed, epochs=100, optimizer__lr=lr), rows, {"device": "cpu"}
            )
    for seed in (7, 8):
        make_run(tmp_path, "diverged", optimizer="sgd", seed=seed, epochs=100, optimizer__lr=0.3, error="loss")
    runs = read_results([tmp_path]).runs
    made = group_tasks(runs), {run.path: read_curve(run) for run in runs}
    monkeypatch.setattr(module, "MOST_VALUES", 1_000)
    (task,) = curve_data(*made)
    ends = {
        (one["compared"], run["seed"]): (run["epochs"][0], run["epochs"][-1], run["steps"][-1] / run["steps"][0])
        for one in task["settings"]
        for run in one["runs"]
        if run["status"] == "diverged"
    }
    assert ends == {(False, 7): (1, 3, 3), (False, 8): (1, 3, 3)} and task["left_out"] == 0
    spread = ["spread" in one["mean"]["metrics"]["test_accuracy"] for one in task["settings"]]
    assert spread == [one["compared"] for one in task["settings"]] and sum(spread) == 1
    monkeypatch.setattr(module, "FEW_VALUES", 10)
    (task,) = curve_data(*made)
    assert task["left_out"] == 1 and sum(r["status"] == "diverged" for s in task["settings"] for r in s["runs"]) == 1


def test_what_settings_share_and_equal_metrics_are_written_once(study):
    tasks = curve_data(*study)
    (task,) = share_places(tasks)
    for one, whole in zip(task["settings"], tasks[0]["settings"], strict=True):
        for run in one["runs"]:  # as the page's script does
            columns = run["metrics"]
            run["metrics"] = {k: columns[v] if isinstance(v, str) else v for k, v in columns.items()}
        assert {**one, **task["places"][one["place"]]} == whole | {"place": one["place"]}
    assert len(json.dumps(share_places(tasks))) < len(json.dumps(tasks))


def test_each_further_run_costs_the_report_as_many_files_as_the_first(tmp_path, monkeypatch):
    opened, numbers = [], []
    read = files._open_regular
    monkeypatch.setattr(files, "_open_regular", lambda path: opened.append(path) or read(path))
    for seed in range(1, 9):
        write_finished_run(tmp_path, make_config("sgd", seed), make_rows([0.5, 0.6, 0.7]), {"device": "cpu"})
        if seed % 4 == 0:
            opened.clear()
            report([str(tmp_path)])
            numbers.append(len(opened))
    assert 0 < numbers[1] - numbers[0] <= 4 * 4 and max(map(opened.count, opened)) <= 2
