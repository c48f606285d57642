"""Pairs for a paper are those of the comparison."""

import pytest
from latex_reader import cells, check_latex
from made_runs import make_run

from sweeper.aggregate.pairs import COLUMNS, pair_rows, pairs_in_latex
from sweeper.aggregate.tasks import group_tasks
from sweeper.report.tables import pairs_table
from sweeper.runs.results import read_results


def made(folder, **scores):
    for optimizer, values in scores.items():
        for seed, value in enumerate(values, 1):
            make_run(folder, accuracy=value, optimizer=optimizer, seed=seed)
    return group_tasks(read_results([folder]).runs)


def test_a_row_has_the_comparisons_numbers(tmp_path):
    (task,) = made(tmp_path, a_1=[0.9, 0.91, 0.93], b=[0.8, 0.81, 0.82], c=[0.89, 0.91, 0.93])
    rows = pair_rows([task])
    assert len(rows) == 3 and list(rows[0]) == COLUMNS
    for row in rows:
        d = task.comparison.between(row["first"], row["second"])
        assert (row["ci95_low"], row["ci95_high"], row["excludes_zero"]) == (d.low, d.high, d.low > 0)
        assert row["df"] == 4 and row["residual_deviation"] == pytest.approx(task.comparison.deviation)
    text = pairs_in_latex([task])
    check_latex(text)
    assert [row[0] for row in cells(text)[1:]] == [f"{r['first']} -- {r['second']}".replace("_", r"\_") for r in rows]
    assert [r"\textbf" in row[2] for row in cells(text)[1:]] == [row["excludes_zero"] for row in rows]
    assert "n = 3, 4 degrees of freedom" in text


def test_one_seed_has_differences_and_no_intervals(tmp_path):
    tasks = made(tmp_path, a=[0.9], b=[0.8])
    (row,) = pair_rows(tasks)
    assert row["difference"] == pytest.approx(0.1) and row["ci95_low"] is None and row["excludes_zero"] is None
    assert cells(pairs_in_latex(tasks))[1] == ["a -- b", "1", "+10.00", "--"]


def test_one_optimizer_has_no_pair(tmp_path):
    tasks = made(tmp_path, a=[0.9, 0.8])
    assert pair_rows(tasks) == [] and pairs_in_latex(tasks) == ""


def test_an_end_that_is_not_0_is_not_shown_as_0(tmp_path):
    """From 0.002 to 0.05 points."""
    scores = {"a": [0.9, 0.901, 0.902], "b": [0.89983, 0.90073, 0.90163]}
    (task,) = tasks = made(tmp_path, **scores)
    (d,) = task.comparison.differences
    assert d.excludes_zero and d.low < 0.00005
    (row,) = cells(pairs_in_latex(tasks))[1:]
    low, high = row[3].split(" to ")
    assert float(low) > 0 and float(high) > 0
    shown = [cell.text for cell in pairs_table(task).rows[0].cells]
    assert shown[2] == row[3]
