"""How many seeds a plan asks for: from the finished runs of the same task, and what to do without them."""

import shutil

import pytest
import yaml
from made_runs import change_record, make_config, make_rows, write_finished_run

from sweeper.aggregate.sample_size import seeds_needed
from sweeper.aggregate.tasks import group_tasks
from sweeper.config.grid import compose_grid
from sweeper.config.tuned import recipe_hash
from sweeper.plan import forecast
from sweeper.plan.seeds import plan_seeds
from sweeper.runs.results import read_results
from tests.plan.test_forecast import GRID, launcher

DONE = {1: 0.0, 2: 0.012, 3: -0.004}  # what each seed adds


def finish(optimizers="sgd,adam,lion", **changes):
    """Finished runs of the grid's task with three seeds, as its command would make them."""
    cells = compose_grid(["-m", "dataset=digits", f"optimizer={optimizers}", "seed=1,2,3", "epochs=10"]).cells
    for place, cell in enumerate(cells):
        config = {**make_config(), **cell.config, **changes}
        accuracy = 0.9 + DONE[cell.config["seed"]] + 0.002 * (place * place % 5)
        write_finished_run(cell.directory.parents[1], config, make_rows([accuracy] * 10), {})
    return cells[0].directory.parents[1]


def test_without_finished_runs_it_says_what_to_do(plan):
    _, document = plan(*GRID)
    (entry,) = document["seeds"]
    assert entry["needed"] == [] and entry["finished"] == 0 and entry["optimizers"] == 2
    assert entry["task"] == "digits, cnn, no label noise, 10 epochs"
    _, text = plan(*GRID, text=True)
    assert "how many seeds? no finished runs of this task in outputs/ show how much results scatter; run two " in text
    finish(epochs=9)  # another length is another task
    assert plan(*GRID)[1]["seeds"][0]["needed"] == []
    _, text = plan("dataset=digits", "optimizer=sgd", text=True)
    assert "how many seeds? name two optimizers or more to compare" in text


def test_the_finished_runs_of_the_task_say_how_many_and_the_probe_how_long(plan):
    outputs = finish()
    grid = [word.replace("sgd,adam", "sgd,adam,lion").replace("seed=1,2", "seed=4,5") for word in GRID]
    _, document = plan(*grid)
    (entry,) = document["seeds"]
    (task,) = group_tasks(read_results([outputs]).runs)
    assert (entry["optimizers"], entry["finished"], entry["df"]) == (3, 9, 4)
    assert entry["deviation"] == task.comparison.deviation > 0 and entry["power"] == 0.8
    assert [need["difference"] for need in entry["needed"]] == [0.001, 0.002, 0.005]
    run, best = 2.0 + forecast.HYDRA_SECONDS + 10 * 1.5, document["launchers"][0]
    beside = best["seconds"] - 3 * run  # six runs, two at a time
    for need in entry["needed"]:
        assert need["seeds"] == seeds_needed(need["difference"], task.comparison.deviation, 3)
        assert need["runs"] == 3 * need["seeds"] and need["timed"]
        assert need["seconds"] == pytest.approx(beside + -(-need["runs"] // 2) * run)
    assert launcher(document, best["launcher"])["at_a_time"] == 2
    _, text = plan(*grid, text=True)
    assert "how many seeds? 3 optimizers at a residual deviation of 0." in text
    assert "(4 degrees of freedom), 80 % power for a pair\n" in text
    lines = [line.split()[:3] for line in text.splitlines()]
    assert ["0.1", f"{entry['needed'][0]['seeds']:,}", f"{entry['needed'][0]['runs']:,}"] in lines


def test_tuned_settings_are_named_as_tables_name_them(tmp_path, monkeypatch):
    """Without the hash of the images on which they were tuned."""
    monkeypatch.chdir(tmp_path)
    words = ["optimizer=sgd", "dataset=digits", "epochs=9"]
    (cell,) = compose_grid(words).cells
    fact = {"epochs": 9, "dataset": "digits", "model": "cnn", "recipe": recipe_hash(cell.config), "images": "d" * 8}
    (tmp_path / "own" / "settings" / "mine").mkdir(parents=True)
    content = yaml.safe_dump({"lr": 0.4, "tuned": {**fact, "values": {"lr": 0.4}}})
    (tmp_path / "own" / "settings" / "mine" / "sgd.yaml").write_text(content)
    grid = compose_grid(["--config-dir", "own", "settings@optimizer=mine/sgd", *words])
    (entry,) = plan_seeds(grid)
    assert ", tuned at 9 epochs" in entry["task"] and "images" not in entry["task"]


def test_where_all_is_done_the_time_is_that_of_the_finished_runs(plan):
    finish("sgd,adam")
    grid = [word.replace("seed=1,2", "seed=1,2,3") for word in GRID]
    _, document = plan(*grid)
    assert document["to_do"] == 0 and plan.asked == []
    for need in document["seeds"][0]["needed"]:
        assert not need["timed"] and need["seconds"] == pytest.approx(need["runs"] * 10 * 0.5)
    assert "this time is of training as in the finished runs, one at a time\n" in plan(*grid, text=True)[1]


def test_a_run_that_was_trained_again_is_told_and_no_further_seed(plan):
    outputs = finish()
    (_, before), (run, *_) = plan(*GRID), sorted(outputs.glob("*/sgd-seed1-*"))
    again = outputs / "again" / run.parent.name / run.name
    shutil.copytree(run, again)
    change_record(again, result__final_test_accuracy=0.5, result__best_test_accuracy=0.9)
    change_record(again, environment__started="2030-01-01T00:00:00Z")
    (entry,) = plan(*GRID)[1]["seeds"]
    said = "1 repeat has another result: of each run the one with the earlier start counts, and repeats "
    assert entry == before["seeds"][0] | {"repeats": f"{said}enter nothing"} and before["seeds"][0]["repeats"] is None
    assert f"\n{said}enter nothing\n" in plan(*GRID, text=True)[1]
