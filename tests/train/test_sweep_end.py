"""A sweep's end: tables and page, each by a process of its own, and neither harms the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY, run_module
from forked import run_forked
from made_runs import change_record, make_run

from sweeper.runs.asked import AskedRuns
from sweeper.train.sweep_end import not_begun_words, update_tables

# Python calls this module at its start.
KILLED = """
import os, signal, sys
if "sweeper.{}" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_answer_comes_first_then_the_page_then_the_sweeps_own_table(tmp_path, capfd):
    own = [make_run(tmp_path, seed=seed, accuracy=0.9 + seed / 100) for seed in (1, 2, 3)]
    own += [make_run(tmp_path, optimizer="lion", seed=seed, accuracy=0.9) for seed in (1, 2)]
    own.append(make_run(tmp_path, optimizer="lion", seed=3, accuracy=0.94))
    for seed in (1, 2):
        make_run(tmp_path, optimizer="adam", seed=seed)
    make_run(tmp_path, epochs=9)
    assert update_tables(str(tmp_path), AskedRuns(own))
    out, error = capfd.readouterr()
    assert out.splitlines() == [
        "No winner yet: sgd leads lion by 0.67 points (95 % CI −3.13 to 4.46)",
        f"page: {tmp_path}/report.html",
        "",
        "digits, cnn, no label noise, lr 0.1, weight decay 0.0005, 3 epochs, batch size 64: test accuracy, "
        "mean ± standard deviation over n seeds",
        "",
        "optimizer  final                   best epoch (chosen on test)",
        "sgd        92.00 ± 1.00 % (n = 3)  93.00 ± 1.00 % (n = 3)",
        "lion       91.33 ± 2.31 % (n = 3)  92.33 ± 2.31 % (n = 3)",
        "",
        f"6 runs: 6 completed; 3 others in {tmp_path}/",
        f"written: {tmp_path}/results.csv, {tmp_path}/summary.csv",
    ]
    assert error == "" and (tmp_path / "report.html").stat().st_size > 10_000
    assert "adam" in (tmp_path / "summary.csv").read_text()


def test_a_folder_whose_name_begins_with_a_dash_is_no_option(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    own = [make_run(Path("-runs"), seed=seed) for seed in (1, 2)]
    assert update_tables("-runs", AskedRuns(own))
    out, error = capfd.readouterr()
    assert "page: -runs/report.html\n" in out and "\n2 runs: 2 completed\n" in out and error == ""


def test_on_a_terminal_the_table_is_as_wide_as_it(tmp_path, capfd, monkeypatch):
    """Where colours are forced, as in a notebook, the table's style arrives whole."""
    make_run(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert update_tables(str(tmp_path))
    styled = capfd.readouterr().out
    assert "\x1b[1moptimizer" in styled and " [1m" not in styled
    out = re.sub(r"\x1b\[\d*m", "", styled)
    lines = [line for line in out.splitlines() if "optimizer" in line or "───" in line]
    assert any("───" in line for line in lines) and all(len(line) <= 60 for line in lines[1:])


def test_each_task_has_its_answer_and_its_block(tmp_path, capfd):
    for epochs in (3, 9):
        make_run(tmp_path, epochs=epochs)
    assert update_tables(str(tmp_path))
    answers, _, tables = capfd.readouterr().out.partition("\n\n")
    titles = [f"digits, cnn, no label noise, {epochs} epochs" for epochs in (3, 9)]
    only = "There is one optimizer only: sgd with 90.00 % (n = 1)."
    assert answers.splitlines() == [*(f"{title}: {only}" for title in titles), f"page: {tmp_path}/report.html"]
    assert [line for line in tables.splitlines() if line in titles] == titles and "others" not in tables


def test_the_page_begins_with_the_latest_sweeps_cards_and_marks_them(tmp_path):
    """The order of the tasks' numbers, as of epochs, stays in each part; where all is the sweep's nothing is marked."""
    own = [make_run(tmp_path, epochs=epochs) for epochs in (5, 20)]
    make_run(tmp_path, epochs=3)
    make_run(tmp_path, epochs=9)
    for asked, order, marks in ((AskedRuns(own), ["5", "20", "3", "9"], 2), (None, ["3", "5", "9", "20"], 0)):
        assert update_tables(str(tmp_path), asked)
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        cards = re.findall(r'<article class="card">(.*?)</h2>', page)
        assert [re.search(r"(\d+) epochs", card)[1] for card in cards] == order
        assert [("latest sweep" in card) for card in cards] == [k < marks for k in range(4)]


def test_tuned_settings_are_ranked_by_validation_and_never_by_test(tmp_path, capfd):
    """The one that is better by test is the worse one by validation."""
    for optimizer, lr, validated, tested in (
        ("sgd", 0.1, 0.93, 0.81),
        ("sgd", 0.3, 0.91, 0.99),
        ("lion", 0.1, 0.97, 0.82),
        ("lion", 0.3, 0.92, 0.98),
    ):
        run = make_run(tmp_path, optimizer=optimizer, optimizer__lr=lr, accuracy=tested)
        change_record(run, result__final_val_accuracy=validated)
    assert update_tables(str(tmp_path))
    lines = capfd.readouterr().out.splitlines()
    assert (
        lines[0] == "Best by validation accuracy: lion, lr 0.1 with 97.00 % (n = 1); sgd, lr 0.1 with 93.00 % (n = 1)."
    )
    start = lines.index("optimizer  lr   validation")
    assert [line.split()[:3] for line in lines[start + 1 : start + 5]] == [
        ["lion", "0.1", "97.00"],
        ["sgd", "0.1", "93.00"],
        ["lion", "0.3", "92.00"],
        ["sgd", "0.3", "91.00"],
    ]
    assert "validation accuracy, mean ± standard deviation" in lines[3] and not any("99.00" in line for line in lines)


def test_a_page_that_can_not_be_written_is_one_line(tmp_path, capfd):
    make_run(tmp_path)
    (tmp_path / "report.html").mkdir()
    assert not update_tables(str(tmp_path))
    out, error = capfd.readouterr()
    assert "results.csv" in out.splitlines()[-1] and "page: " not in out and out.splitlines()[1] == ""
    advice = f"python -m sweeper.report {tmp_path} --into DIR writes elsewhere"
    assert error == f"no report.html: {tmp_path}/report.html: can't be written: Is a directory; {advice}\n"


def test_tables_that_can_not_be_written_are_one_line_of_the_command_that_can(tmp_path, capfd):
    """Whoever reads it called `sweeper.train`, which has no --into."""
    make_run(tmp_path)
    for name in ("results.csv", "report.html"):
        (tmp_path / name).mkdir()
    assert not update_tables(str(tmp_path))
    out, error = capfd.readouterr()
    advice = f"python -m sweeper.aggregate {tmp_path} --into DIR writes elsewhere"
    assert (out, error) == ("", f"error: {tmp_path}/results.csv: can't be written: Is a directory; {advice}\n")


def test_without_runs_there_is_one_line_not_two(tmp_path, capfd):
    assert not update_tables(str(tmp_path))
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and "there are no runs in this folder" in error


def test_what_the_two_print_is_read_in_the_encoding_that_they_write(tmp_path):
    """As under `PYTHONIOENCODING`, which is no locale's."""
    make_run(tmp_path)
    code = "import sys; from sweeper.train.sweep_end import update_tables; sys.exit(not update_tables(sys.argv[1]))"
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, env=environment, check=True)
    assert "test accuracy, mean ± standard deviation" in done.stdout.decode("latin-1")


@pytest.mark.parametrize("killed", ["aggregate", "report"])
def test_a_process_that_is_killed_is_told_with_what_to_do(tmp_path, capfd, monkeypatch, killed):
    """As by a machine that is out of memory; the other one's work is done."""
    outputs = tmp_path / "my runs"
    make_run(outputs)
    (tmp_path / "sitecustomize.py").write_text(KILLED.format(killed))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    assert not update_tables(str(outputs))
    lacks, command = {
        "aggregate": ("the tables are not up to date", f"python -m sweeper.aggregate '{outputs}' makes them"),
        "report": ("no report.html", f"python -m sweeper.report '{outputs}' makes it"),
    }[killed]
    assert capfd.readouterr().err == f"{outputs}: {lacks} (killed by SIGKILL); {command}\n"
    assert (outputs / "report.html").exists() == (killed == "aggregate")
    assert (outputs / "results.csv").exists() == (killed == "report")


@pytest.mark.slow
def test_a_sweep_without_its_tables_has_not_ended_well(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(KILLED.format("aggregate"))
    arguments = ("-m", *TINY, "model=mlp", "epochs=1", "hydra/launcher=basic")
    done = run_module("train", *arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1 and "outputs: the tables are not up to date (killed by SIGKILL)" in done.stderr
    assert (
        run_module("train", *arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path)).returncode == 1
    )  # nothing to do but them
    assert run_forked("train", *arguments, cwd=tmp_path).returncode == 0
    assert (tmp_path / "outputs" / "results.csv").exists()


@pytest.mark.parametrize(
    ("left", "to_do", "runs", "said"),
    [
        (9, 9, 9, "none of 9 runs begun; the same command goes on"),
        (4, 4, 9, "none of the 4 other runs begun; the same command goes on"),
        (1, 1, 1, "the run has not begun; the same command begins it"),
        (1, 1, 9, "the other run has not begun; the same command begins it"),
        (1, 4, 9, "1 more not begun; the same command goes on"),
        (1999, 2000, 2000, "1,999 more not begun; the same command goes on"),
    ],
)
def test_what_a_stopped_sweep_did_not_begin_is_more_only_where_something_began(left, to_do, runs, said):
    assert not_begun_words(left, to_do, runs) == said
