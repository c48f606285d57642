"""A sweep's end: tables and page, each by a process of its own, and neither harms the other."""

import os

import pytest
from conftest import TINY, run_module
from made_runs import make_run

from sweeper.train.sweep_end import update_tables

# Python calls this module at its start.
KILLED = """
import os, signal, sys
if "sweeper.{}" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_tables_and_page_are_written_and_named(tmp_path, capfd):
    make_run(tmp_path)
    assert update_tables(str(tmp_path))
    out, error = capfd.readouterr()
    assert out.splitlines()[-2:] == [
        f"written: {tmp_path}/results.csv, {tmp_path}/summary.csv",
        f"written: {tmp_path}/report.html",
    ]
    assert error == "" and (tmp_path / "report.html").stat().st_size > 10_000


def test_a_page_that_can_not_be_written_is_one_line(tmp_path, capfd):
    make_run(tmp_path)
    (tmp_path / "report.html").mkdir()
    assert not update_tables(str(tmp_path))
    out, error = capfd.readouterr()
    assert "results.csv" in out.splitlines()[-1]
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
    arguments = ("-m", *TINY, "model=mlp", "epochs=1")
    done = run_module("train", *arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1 and "outputs: the tables are not up to date (killed by SIGKILL)" in done.stderr
    assert (
        run_module("train", *arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path)).returncode == 1
    )  # nothing to do but them
    assert run_module("train", *arguments, cwd=tmp_path).returncode == 0
    assert (tmp_path / "outputs" / "results.csv").exists()
