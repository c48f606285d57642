"""Tables and a page that aren't of the runs that a command reads are named, with the command that makes them anew."""

import os
import shlex
import shutil
from pathlib import Path

import pytest
from made_runs import make_arm, make_run, name_arms
from permissions import run_held

from sweeper.aggregate.command import main as aggregate
from sweeper.report.command import main as report
from sweeper.runs.arms import record_arms
from sweeper.runs.asked import AskedRuns
from sweeper.train.sweep_end import update_tables

OF = "not what the runs in "


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of runs, A and B, in the current one."""
    monkeypatch.chdir(tmp_path)
    make_arm(tmp_path / "A", 0.9, optimizer="adam")
    make_arm(tmp_path / "A", 0.901, optimizer="sgd")
    make_arm(tmp_path / "B", 0.8, optimizer="lion")
    return tmp_path


@pytest.fixture
def told(capfd):
    """Carries out a command; returns what it says of other files."""

    def carry_out(command, *words: str) -> list[str]:
        capfd.readouterr()
        assert command([*words]) == 0
        lines = capfd.readouterr().out.splitlines()
        written = max(number for number, line in enumerate(lines) if line.startswith("written: "))
        return lines[written + 1 :]

    return carry_out


def follow(told, line: str) -> list[str]:
    """Carry out the command that a line gives."""
    command = line.rpartition("; ")[2].removesuffix(" makes it anew").removesuffix(" makes them anew")
    python, m, module, *words = shlex.split(command)
    assert (python, m) == ("python", "-m")
    return told({"sweeper.aggregate": aggregate, "sweeper.report": report}[module], *words)


def test_tables_of_other_folders_are_named_and_the_command_makes_them_anew(folders, told):
    told(aggregate, "A", "--into", "T", "--format", "markdown,latex")
    assert told(report, "A", "--into", "T") == []
    assert told(aggregate, "A", "--into", "T") == []
    tables, page = told(aggregate, "A", "B", "--into", "T")
    assert tables.startswith(f"{OF}A and B give: T/summary.md, T/summary.tex, T/table.tex, T/pairs.csv, ")
    assert tables.endswith("; python -m sweeper.aggregate A B --into T --format markdown,latex makes them anew")
    assert page == f"{OF}A and B give: T/report.html; python -m sweeper.report A B --into T makes it anew"
    assert told(aggregate, "A", "B", "--into", "T", "--format", "markdown")[0].endswith(
        " --format latex makes them anew"
    )
    assert follow(told, tables) == [page]
    assert follow(told, page) == []
    assert told(aggregate, "A", "B", "--into", "T") == []


def test_tables_of_a_run_that_is_gone_are_named_however_files_are_dated(folders, told):
    told(aggregate, "A", "--format", "markdown")
    told(report, "A")
    shutil.rmtree(next(Path("A").glob("*/*sgd*")))
    for file in filter(Path.is_file, Path("A").rglob("*")):
        os.utime(file, (0, 0))
    assert told(report, "A") == [
        f"{OF}A give: A/results.csv, A/summary.csv, A/summary.md; "
        "python -m sweeper.aggregate A --format csv,markdown makes them anew"
    ]
    tables = f"{OF}A give: A/summary.md; python -m sweeper.aggregate A --format markdown makes it anew"
    assert told(aggregate, "A") == [tables]
    assert told(aggregate, "A") == [tables], "it is no more of these runs for a table being written"
    assert follow(told, tables) == []


def test_a_margin_is_that_of_the_command_or_else_of_the_files(folders, told):
    told(aggregate, "A", "--format", "markdown,latex", "--margin", "5")
    told(report, "A", "--margin", "5")
    assert told(aggregate, "A") == told(report, "A", "--margin", "5") == told(aggregate, "A", "--margin", "5") == []
    tables, page = told(aggregate, "A", "--margin", "6.25")
    assert tables == (
        f"{OF}A give with --margin 6.25: A/summary.md, A/summary.tex, A/pairs.csv; "
        "python -m sweeper.aggregate A --margin 6.25 --format markdown,latex makes them anew"
    )
    assert page.endswith(": A/report.html; python -m sweeper.report A --margin 6.25 makes it anew")
    make_run(Path("A"), optimizer="adam", seed=4)
    tables, page = told(aggregate, "A")
    assert " --margin 5 --format " in tables and " --margin 5 makes " in page


def test_what_a_table_can_not_be_compared_by_is_no_verdict_on_it(folders, told):
    told(aggregate, "A", "--format", "markdown")
    told(report, "A")
    for file in (Path("A/summary.md"), Path("A/report.html")):
        file.chmod(0)
    done = run_held("aggregate", "A", cwd=folders)
    assert done.returncode == 0 and done.stdout.splitlines()[-2:] == [
        "not compared with what the runs in A give: A/summary.md (Permission denied); "
        "python -m sweeper.aggregate A --format markdown makes it anew",
        "not compared with what the runs in A give: A/report.html (Permission denied); "
        "python -m sweeper.report A makes it anew",
    ]
    Path("A/report.html").chmod(0o644)
    Path("A/report.html").write_text("<!doctype html>\n", encoding="utf-8")
    assert told(aggregate, "A", "--format", "markdown") == [
        "not compared with what the runs in A give: A/report.html (it doesn't say of which runs it is); "
        "python -m sweeper.report A makes it anew"
    ]


def test_a_table_without_the_package_that_writes_it_is_not_compared(folders, told, monkeypatch):
    Path("A/results.parquet").touch()
    monkeypatch.setattr("sweeper.aggregate.beside.is_installed", lambda package: False)
    (line,) = told(aggregate, "A")
    assert line.startswith("not compared with what the runs in A give: A/results.parquet (needs pyarrow); ")


def test_empty_tables_are_named_and_what_is_no_file_is_not(folders, told):
    Path("A/summary.md").touch()
    Path("A/report.html").mkdir()
    os.mkfifo("A/pairs.csv")
    assert told(aggregate, "A") == [
        f"{OF}A give: A/summary.md; python -m sweeper.aggregate A --format markdown makes it anew"
    ]


def test_last_digits_in_which_machines_differ_are_no_difference(folders, told):
    told(aggregate, "A", "--format", "latex")
    table = Path("A/pairs.csv")
    head, _, row = table.read_text(encoding="utf-8").partition("\n")
    cells = row.split(",")
    place = next(number for number, cell in enumerate(cells) if len(cell) > 15 and cell.replace(".", "").isdigit())
    cells[place] = str(float(cells[place]) * (1 + 1e-13))
    assert ",".join(cells) != row
    table.write_text(f"{head}\n{','.join(cells)}", encoding="utf-8")
    assert told(aggregate, "A") == []
    cells[place] = str(float(cells[place]) * 1.001)
    table.write_text(f"{head}\n{','.join(cells)}", encoding="utf-8")
    assert [line.partition("; ")[0] for line in told(aggregate, "A")] == [f"{OF}A give: A/pairs.csv"]


def test_a_folder_whose_name_begins_with_a_dash(folders, told):
    told(aggregate, "A", "--into", "./-T", "--format", "markdown")
    (line,) = told(aggregate, "B", "--into", "./-T")
    assert line.startswith(f"{OF}B give: -T/summary.md; ") and follow(told, line) == []


def test_the_end_of_a_sweep_names_tables_and_makes_its_page(folders, told, capfd):
    told(aggregate, "A", "--format", "markdown")
    told(report, "A")
    make_run(Path("A"), optimizer="adam", seed=4)
    capfd.readouterr()
    assert update_tables("A")
    first, *_, last = capfd.readouterr().out.splitlines()
    assert last == f"{OF}A give: A/summary.md; python -m sweeper.aggregate A --format markdown makes it anew"
    assert "report.html; " not in first and told(report, "A") == [last]


def test_a_page_is_of_comparisons_too(folders, told):
    arms = {name: sorted(Path("A").glob(f"*/*{name}*")) for name in ("adam", "sgd")}
    name_arms(Path("A"), one=arms["adam"], two=arms["sgd"])
    told(aggregate, "A", "--into", "T")
    told(report, "A", "--into", "T")
    record_arms(Path("A"), AskedRuns([*arms["adam"], *arms["sgd"]], []))  # by a sweep without arms
    assert [line.partition("; ")[0] for line in told(aggregate, "A", "--into", "T")] == [f"{OF}A give: T/report.html"]
