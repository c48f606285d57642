"""`sweeper.compare` shows the numbers of the page's tables, and its words."""

import pytest
from made_runs import make_run, make_study

import sweeper
from sweeper.aggregate.points import points
from sweeper.aggregate.summary import summarize
from sweeper.aggregate.tasks import group_tasks
from sweeper.aggregate.verdict import describe_task
from sweeper.report.tables import pairs_table, ranking_table
from sweeper.runs.results import read_results
from sweeper.system.errors import BadInput


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two tasks of three optimizers; one of them diverged once."""
    outputs = tmp_path_factory.mktemp("study")
    make_study(outputs, ("adam", "lion", "muon"), seeds=(1, 2, 3, 4), epochs=3)
    make_run(outputs, "diverged", optimizer="muon", seed=5, target_accuracy=0.85, optimizer__lr=0.0002)
    return outputs


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in line.cells] for line in table.rows]


def test_intervals_groups_and_summary_have_the_numbers_of_the_tables(study):
    found = sweeper.compare(sweeper.load_results(study))
    results = read_results([study])
    tasks = group_tasks(results.runs)
    labels = [task.label for task in tasks]
    assert len(tasks) == 2 and list(found.sentences) == [*labels, f"robustness, {labels[1]}"]
    for task in tasks:
        pairs = found.intervals[found.intervals.task == task.label]
        shown = [row[:4] for row in texts(pairs_table(task))]
        assert shown == [_cells(p) for p in pairs.itertuples()]
        assert {(p.optimizer, p.other) for p in pairs.itertuples() if p.better} == set(task.comparison.order.better)
        groups = found.groups[found.groups.task == task.label]
        ranks = [f"{g.rank_low}–{g.rank_high}".removesuffix(f"–{g.rank_low}") for g in groups.itertuples()]
        ranking = ranking_table(task)
        place = [ranking.header.index(name) for name in ("rank", "optimizer", "group")]
        assert [[row[k] for k in place] for row in texts(ranking)] == [
            [rank, g.optimizer, g.group] for rank, g in zip(ranks, groups.itertuples(), strict=True)
        ]
        assert groups["mean"].tolist() == [s.row["final_test_accuracy_mean"] for s in task.compared]
        assert found.sentences[task.label] == describe_task(task)
    assert found.groups.n_diverged.sum() == 1
    rows = summarize(results.runs).rows
    assert found.summary.final_test_accuracy_mean.tolist() == [row["final_test_accuracy_mean"] for row in rows]


def _cells(pair):
    interval = f"{points(pair.ci95_low)} to {points(pair.ci95_high)}"
    return [f"{pair.optimizer} − {pair.other}", points(pair.difference), interval, str(pair.n)]


def test_some_rows_are_compared_and_words_are_shown(study):
    results = sweeper.load_results(study)
    found = sweeper.compare(results[(results.noise == "none") & (results.optimizer != "lion")])
    assert set(found.groups.optimizer) == {"adam", "muon"} and len(found.intervals) == 1
    assert "lion" not in found.answer and found.answer.endswith("; muon diverged in 1 of 5 seeds")
    text, html = str(found), found._repr_html_()
    assert text.startswith(f"{found.answer}\n\nPaired t interval, n = ")
    for words in ("intervals", "groups", "ci95_low", "muon diverged in 1 of 5 seeds"):
        assert words in text and words in html
    assert html.count("<table") == 2


def test_what_it_shows_of_one_run_of_a_bad_name_and_of_settings_chosen_by_test(tmp_path):
    make_run(tmp_path, model__name="<b>&", optimizer__lr=0.1)
    alone = sweeper.compare(tmp_path)
    assert alone.answer == "There is one optimizer only: sgd with 90.00 % (n = 1)."
    assert len(alone.intervals) == 0 and "&lt;b&gt;&amp;" in alone._repr_html_() and "<b>&" not in alone._repr_html_()
    make_run(tmp_path, model__name="<b>&", optimizer__lr=0.2, accuracy=0.8)
    make_run(tmp_path, model__name="<b>&", optimizer="lion")
    chosen = sweeper.compare(tmp_path)
    assert "settings were chosen by test accuracy" in chosen.answer
    assert len(chosen.intervals) == 0 and chosen.groups.group.isna().all() and chosen.groups.rank_low.isna().all()


def test_damaged_rows_change_nothing_and_a_run_that_is_gone_is_named(tmp_path):
    make_run(tmp_path)
    damaged = make_run(tmp_path, optimizer="lion")
    (damaged / "run.json").write_text("")
    results = sweeper.load_results(tmp_path)
    assert sweeper.compare(results).answer.startswith("There is one optimizer only: sgd")
    with pytest.raises(BadInput, match="no column path"):
        sweeper.compare(results.drop(columns="path"))
    (damaged / "run.json").unlink()
    for file in damaged.iterdir():
        file.unlink()
    damaged.rmdir()
    with pytest.raises(BadInput, match="there is no such run; load the results again"):
        sweeper.compare(results)


def test_what_wrong_labels_cost_stands_beside_the_tasks(tmp_path):
    noise = {"noise": {"name": "symmetric", "kind": "symmetric", "rate": 0.2, "seed": 0}}
    for seed, scatter in enumerate((0.0, 0.01, 0.005)):
        for optimizer, lost in (("sgd", 0.2 + scatter), ("lion", 0.1)):
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=0.9)
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=0.9 - lost, **noise)
    found = sweeper.compare(tmp_path)
    label = "robustness, digits, cnn, 20 % symmetric label noise"
    assert found.answer.splitlines()[-1] == f"{label}: lion > sgd" and found.sentences[label][0] == "lion > sgd"
    (row,) = found.intervals[found.intervals.task == label].itertuples()
    assert (row.optimizer, row.other, row.better) == ("lion", "sgd", True)
    assert row.difference == pytest.approx(0.105) and row.conclusion.startswith("lion loses less than sgd by")
