"""`aggregate --json` says what the tables say: the same numbers, pairs and words."""

import csv
import json

import pytest
from json_schema import check
from made_runs import change_record, make_run, make_study

import sweeper
from sweeper.aggregate.command import main
from sweeper.aggregate.margin import margin_share
from sweeper.aggregate.tasks import group_tasks
from sweeper.report.answers import answer_card
from sweeper.report.charts import looks_of
from sweeper.report.tables import ranking_table
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.runs.layout import PAIRS_FILE
from sweeper.runs.results import read_results


@pytest.fixture
def study(tmp_path):
    make_study(tmp_path, optimizers=("adam", "lion", "sgd"), epochs=5)
    return tmp_path


def described(capsys, *arguments) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    check("aggregate", document)
    return document


def test_its_pairs_are_those_of_the_tables(study, capsys):
    document = described(capsys, study, "--format", "latex", "--margin", "5")
    with (study / PAIRS_FILE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = [pair for task in document["tasks"] for pair in task["pairs"]]
    assert len(pairs) == len(rows) == 6
    for pair, row in zip(pairs, rows, strict=True):
        assert (pair["first"], pair["second"], pair["verdict"]) == (row["first"], row["second"], row["verdict"])
        assert pair["ci95_low"] == float(row["ci95_low"]) and pair["df"] == int(row["df"])
    assert str(study / PAIRS_FILE) in document["written"]
    assert main([str(study), "--margin", "5"]) == 0
    printed = capsys.readouterr().out
    assert all(task["answer"] in printed for task in document["tasks"])


def test_its_optimizers_are_the_rows_of_the_summary(study, capsys):
    document = described(capsys, study)
    with (study / "summary.csv").open(encoding="utf-8", newline="") as file:
        means = sorted(float(row["final_test_accuracy_mean"]) for row in csv.DictReader(file))
    optimizers = [optimizer for task in document["tasks"] for optimizer in task["optimizers"]]
    assert sorted(optimizer["final_test_accuracy_mean"] for optimizer in optimizers) == pytest.approx(means)
    assert all(optimizer["n"] == 3 and optimizer["compared"] for optimizer in optimizers)


def test_pairs_name_methods_and_optimizer_and_arm_are_what_they_are_called(tmp_path, capsys):
    arms = {
        name: [make_run(tmp_path, seed=seed, accuracy=accuracy + seed / 100, optimizer__lr=lr) for seed in (1, 2)]
        for name, lr, accuracy in (("low", 0.01, 0.6), ("high", 0.1, 0.8))
    }
    record_arms(tmp_path, AskedRuns([run for of in arms.values() for run in of], [arms]))
    (task,) = described(capsys, tmp_path)["tasks"]
    assert [(o["method"], o["optimizer"], o["arm"]) for o in task["optimizers"]] == [
        ("high", "sgd", "high"),
        ("low", "sgd", "low"),
    ]
    assert [(pair["first"], pair["second"]) for pair in task["pairs"]] == [("high", "low")]
    record_arms(tmp_path, AskedRuns([run for of in arms.values() for run in of], []))
    (task,) = [one for one in described(capsys, tmp_path)["tasks"] if not one["optimizers"][0]["arm"]]
    assert {(o["method"], o["optimizer"], o["arm"]) for o in task["optimizers"]} == {("sgd", "sgd", None)}


def test_what_can_not_be_compared_is_there_with_its_reason(tmp_path, capsys):
    make_run(tmp_path)
    make_run(tmp_path, "failed", optimizer="lion", error="no memory")
    (make_run(tmp_path, optimizer="adam") / "run.json").write_text("")
    document = described(capsys, tmp_path)
    assert document["runs"] == 3 and document["counts"] == {"completed": 1, "damaged": 1, "failed": 1}
    assert sorted(run["error"] for run in document["unusable"]) == ["no memory", "run.json: not whole JSON"]
    (task,) = document["tasks"]
    assert [(o["label"], o["compared"], o["ranks"]) for o in task["optimizers"]] == [
        ("sgd", True, None),
        ("lion", False, None),
    ]
    assert task["pairs"] == [] and task["answer"].startswith("Only sgd completed, with ")


@pytest.mark.parametrize(
    ("scores", "ranks"),
    [
        ({"sgd": {1: 0.9, 2: 0.91, 3: 0.93}, "adam": {1: 0.8, 2: 0.82, 3: 0.83}}, {"sgd": [1, 1], "adam": [2, 2]}),
        ({"sgd": {1: 0.9}, "adam": {1: 0.8}, "lion": {1: 0.7}}, {}),
        ({"sgd": {1: 0.9, 2: 0.91}, "adam": {3: 0.8, 4: 0.82}}, {}),  # no seed in common
        ({"sgd": {1: 0.9, 2: 0.8}, "adam": {1: 0.8, 2: 0.7}}, {}),  # no scatter
        ({"sgd": {1: 0.9, 2: 0.91, 3: 0.93}}, {}),
    ],
)
def test_its_ranks_are_those_of_the_page_and_of_compare_and_none_without_an_interval(tmp_path, capsys, scores, ranks):
    for optimizer, by_seed in scores.items():
        for seed, accuracy in by_seed.items():
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=accuracy)
    (task,) = described(capsys, tmp_path)["tasks"]
    assert {o["method"]: o["ranks"] for o in task["optimizers"] if o["ranks"]} == ranks
    (found,) = group_tasks(read_results([tmp_path]).runs)
    table = ranking_table(found)
    shown = [line.cells[table.header.index("rank")].text for line in table.rows]
    groups = sweeper.compare(tmp_path).groups
    if ranks:
        assert shown == ["1", "2"] and groups.rank_low.tolist() == groups.rank_high.tolist() == [1, 2]
    else:
        assert set(shown) == {"–"} and groups.rank_low.isna().all() and groups.rank_high.isna().all()


def test_what_test_images_chose_has_no_ranks(tmp_path, capsys):
    for seed in (1, 2, 3):
        for optimizer, lr, accuracy in (("sgd", 0.1, 0.9), ("sgd", 0.01, 0.89), ("adam", 0.1, 0.8)):
            own = accuracy + 0.001 * seed**2 * lr
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=own, optimizer__lr=lr)
    (task,) = described(capsys, tmp_path)["tasks"]
    assert task["chosen_by"] == "test" and task["pairs"] == []
    assert [o["ranks"] for o in task["optimizers"]] == [None] * 3


def test_its_headline_is_the_pages(tmp_path, capsys):
    """With a margin and without; who leads stands there only where no pair is equivalent."""
    for seed, accuracy in enumerate((0.9, 0.91, 0.92)):
        make_run(tmp_path, seed=seed, accuracy=accuracy)
        make_run(tmp_path, seed=seed, accuracy=accuracy + 0.0001 * seed, optimizer="adam")
    for margin, begins in (
        (None, "No winner yet: adam leads sgd by 0.01"),
        ("0.5", "No significant difference: {adam"),
    ):
        (task,) = described(capsys, tmp_path, *(["--margin", margin] if margin else []))["tasks"]
        assert task["headline"].startswith(begins)
        assert task["headline"] == _pages_headline(tmp_path, margin_share(margin))
    assert task["headline"] == task["answer"] and task["answer"].endswith(
        "; equivalent within ±0.5 points: adam and sgd"
    )


def test_where_validation_chose_the_headline_is_the_verdict(tmp_path, capsys):
    """By validation accuracy sgd is the first."""
    settings = ("sgd", 0.1, 0.9, 0.92), ("sgd", 0.2, 0.93, 0.9), ("adam", 0.1, 0.95, 0.91)
    for seed in (1, 2, 3):
        for optimizer, lr, accuracy, validation in settings:
            own = accuracy + 0.001 * seed**2 * len(optimizer)
            run = make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=own, optimizer__lr=lr)
            change_record(run, result__final_val_accuracy=validation)
    (task,) = described(capsys, tmp_path)["tasks"]
    assert task["chosen_by"] == "validation" and [o["method"] for o in task["optimizers"]][:2] == ["sgd", "adam"]
    assert task["headline"] == task["answer"] == _pages_headline(tmp_path) == "adam > sgd"


def _pages_headline(folder, margin=None) -> str:
    tasks = group_tasks(read_results([folder]).runs)
    (card,) = [answer_card(task, looks_of(tasks), margin) for task in tasks]
    return card.headline.replace("\u00a0", " ")


def test_it_tells_what_wrong_labels_cost(tmp_path, capsys):
    noise = {"noise": {"name": "symmetric", "kind": "symmetric", "rate": 0.2, "seed": 0}}
    for seed, scatter in enumerate((0.0, 0.01, 0.005)):
        for optimizer, lost in (("sgd", 0.2 + scatter), ("lion", 0.1)):
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=0.9)
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=0.9 - lost, **noise)
    document = described(capsys, tmp_path)
    (one,) = document["robustness"]
    assert one["task"].startswith("digits, cnn, 20 % symmetric") and one["clean_task"].startswith(
        "digits, cnn, no label"
    )
    assert one["answer"] == one["headline"] == "lion > sgd"
    lion, sgd = one["drops"]
    assert lion == {"method": "lion", "n": 3, "mean": pytest.approx(0.1), "std": pytest.approx(0)}
    assert (sgd["mean"], sgd["std"]) == (pytest.approx(0.205), pytest.approx(0.005))
    (pair,) = one["pairs"]
    assert (pair["first"], pair["second"], pair["difference"]) == ("lion", "sgd", pytest.approx(0.105))
    assert described(capsys, tmp_path / "digits-cnn")["robustness"] == [one]
