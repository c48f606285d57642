"""The main table of a paper: what is bold, what is underlined, what the caption says."""

import pytest
from latex_reader import cells, check_latex
from made_runs import make_run

from sweeper.aggregate.main_table import describe_test, main_table, mark
from sweeper.aggregate.tasks import group_tasks
from sweeper.runs.results import read_results


@pytest.fixture
def tasks(tmp_path):
    """`tasks({optimizer: [accuracies of seeds 1, 2, …]}, **config)`; an accuracy of None diverged."""

    def make(scores, **config):
        for optimizer, values in scores.items():
            for seed, value in enumerate(values, 1):
                status = "completed" if value is not None else "diverged"
                error = "loss" if value is None else None
                make_run(tmp_path, status, accuracy=value or 0.5, error=error, optimizer=optimizer, seed=seed, **config)
        return group_tasks(read_results([tmp_path]).runs)

    return make


FAR = {"adam": [0.90, 0.911, 0.92], "_odd & $x$": [0.899, 0.912, 0.9195], "sgd": [0.80, 0.812, 0.821]}


def test_the_best_is_bold_and_what_is_not_significantly_below_it_underlined(tasks):
    (task,) = tasks(FAR)
    text = main_table([task])
    check_latex(text)
    header, first, second, third = cells(text)
    assert header == ["optimizer", "final"]
    assert first == ["adam", r"\textbf{91.03 $\pm$ 1.00}\textsuperscript{a}"]
    assert second == [r"\_odd \& \$x\$", r"\underline{91.02 $\pm$ 1.04}\textsuperscript{a}"]
    assert third[1].startswith("81.10") and third[1].endswith(r"\textsuperscript{b}")
    assert "Tukey's simultaneous" in text and "n = 3, 4 degrees of freedom." in text and "pooled block model" in text


def test_tasks_are_columns_by_what_differs_and_each_test_is_named(tasks):
    tasks(FAR)
    found = tasks({"adam": [0.9, 0.91], "lion": [0.92, 0.94]}, epochs=30)
    text = main_table(found)
    check_latex(text)
    header, *rows = cells(text)
    assert header == ["optimizer", "3 epochs", "30 epochs"] and "digits, cnn, no label noise." in text
    assert {row[0]: row[2][:2] for row in rows}["sgd"] == "--"
    assert "3 epochs: n = 3, 4 degrees of freedom; 30 epochs: n = 2, 1 degree of freedom." in text


def test_who_diverged_is_neither_first_nor_underlined(tasks):
    """A, higher among the finished runs, diverged once: then B isn't first either."""
    values = [0.950, 0.951, 0.952, 0.949, 0.9505, 0.951, 0.9495]
    (task,) = tasks({"a": [*values, None], "b": [v - 0.02 + 0.001 * (k % 2) for k, v in enumerate([*values, 0.95])]})
    marks = mark(task)
    assert marks.best is None and not marks.not_below
    text = main_table([task])
    check_latex(text)
    assert r"\textbf" not in text and r"\textsuperscript{\dag}" in text and "($n = 7$)" in text
    (task,) = tasks({"a": [], "b": [], "c": [None, None]})[:1]
    assert ["c", r"diverged\textsuperscript{\dag}"] in cells(main_table([task]))


def test_without_intervals_there_are_no_letters_and_no_test(tasks):
    (task,) = tasks({"a": [0.9], "b": [0.8]})
    text = main_table([task])
    assert describe_test(task) == "n = 1, no test" and "Tukey" not in text and r"\underline" not in text
    assert r"\textbf{90.00}" in text


def test_what_test_images_chose_gets_no_marks(tasks):
    tasks({"sgd": [0.9, 0.91, 0.92]}, optimizer__lr=0.1)
    (task,) = tasks({"sgd": [0.8, 0.81, 0.83], "adam": [0.8, 0.83, 0.82]})
    (task,) = tasks({"sgd": [0.8, 0.81, 0.83]}, optimizer__lr=0.3)
    assert mark(task).best is None and not mark(task).letters
    assert "settings were chosen on the test images" in main_table([task]) and r"\textbf" not in main_table([task])


def test_what_is_too_wide_is_continued_below(tasks):
    for epochs in (3, 4, 5, 6, 7):
        found = tasks({"sgd": [0.9], "lion": [0.8]}, epochs=epochs)
    text = main_table(found)
    check_latex(text)
    assert text.count(r"\begin{tabular}") == 2 and text.count(r"\begin{table}") == 1
    assert cells(text)[0] == ["optimizer", "3 epochs", "4 epochs", "5 epochs", "6 epochs"]
    assert "optimizer & 7 epochs" in text


def test_where_seeds_differ_order_and_bold_are_the_models_and_the_caption_says_so(tmp_path):
    """Seeds 4 to 6 are ten points harder, and lion, the best, has three of them: its mean is the lowest."""
    of_each = {
        "adam": {1: 0.9, 2: 0.901, 3: 0.8995, 4: 0.8004},
        "sgd": {1: 0.89, 2: 0.8898, 3: 0.8902, 5: 0.7899},
        "lion": {1: 0.9004, 4: 0.801, 5: 0.8, 6: 0.8007},
    }
    for optimizer, by_seed in of_each.items():
        for seed, accuracy in by_seed.items():
            make_run(tmp_path, optimizer=optimizer, seed=seed, accuracy=accuracy)
    (task,) = group_tasks(read_results([tmp_path]).runs)
    text = main_table([task])
    check_latex(text)
    assert [row[0] for row in cells(text)[1:]] == ["lion", "adam", "sgd"]
    assert cells(text)[1][1].startswith(r"\textbf{82.55") and cells(text)[2][1].startswith(r"\underline{87.52")
    assert "Seeds differ: order and bold by the model's estimates, not by the means shown." in text
    assert "n = 4, seeds differ, 4 degrees of freedom." in text
    for optimizer in of_each:
        for seed in range(1, 7):
            make_run(tmp_path, optimizer=optimizer, seed=seed)
    assert "eeds differ" not in main_table(group_tasks(read_results([tmp_path]).runs))


def test_nothing_completed_is_no_table(tasks):
    assert main_table(tasks({"sgd": [None]})) == ""
