"""Tables that aren't of the runs that `aggregate` reads are named, with the command that makes them anew."""

import os
import shlex
import shutil
import time
from pathlib import Path

import pytest
from made_runs import make_arm, make_run

from sweeper.aggregate.command import main as aggregate
from sweeper.train.sweep_end import update_tables

OF = "not what the runs in "


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of runs, A and B, in the current one."""
    monkeypatch.chdir(tmp_path)
    make_arm(tmp_path / "A", 0.9, optimizer="adam")
    make_arm(tmp_path / "A", 0.901, optimizer="sgd")
    make_arm(tmp_path / "B", 0.8, optimizer="lion")


@pytest.fixture
def told(folders, capfd):
    """Carries out `aggregate`; returns what it says of other tables."""

    def carry_out(*words: str) -> list[str]:
        capfd.readouterr()
        assert aggregate([*words]) == 0
        lines = capfd.readouterr().out.splitlines()
        written = max(number for number, line in enumerate(lines) if line.startswith("written: "))
        return lines[written + 1 :]

    return carry_out


def follow(told, line: str) -> list[str]:
    """Carry out the command that a line gives."""
    command = line.rpartition("; ")[2].removesuffix(" makes it anew").removesuffix(" makes them anew")
    python, m, module, *words = shlex.split(command)
    assert (python, m, module) == ("python", "-m", "sweeper.aggregate")
    return told(*words)


def test_tables_of_other_folders_are_named_and_the_command_makes_them_anew(told):
    told("A", "--into", "T", "--format", "markdown,latex")
    assert told("A", "--into", "T") == []
    (line,) = told("A", "B", "--into", "T")
    assert line.startswith(f"{OF}A and B give: T/summary.md, T/summary.tex, T/table.tex, T/pairs.csv, ")
    assert line.endswith("; python -m sweeper.aggregate A B --into T --format markdown,latex makes them anew")
    assert told("A", "B", "--into", "T", "--format", "markdown")[0].endswith(" --format latex makes them anew")
    assert follow(told, line) == []
    assert told("A", "B", "--into", "T") == []


def test_tables_of_a_run_that_is_gone_are_named_however_files_are_dated(told):
    told("A", "--format", "markdown")
    shutil.rmtree(next(Path("A").glob("*/*sgd*")))
    for file in filter(Path.is_file, Path("A").rglob("*")):
        os.utime(file, (0, 0))
    line = f"{OF}A give: A/summary.md; python -m sweeper.aggregate A --format markdown makes it anew"
    assert told("A") == [line]
    assert told("A") == [line], "it is no more of these runs for a table being written"
    assert follow(told, line) == []


def test_a_margin_is_that_of_the_command_or_else_of_the_tables(told):
    told("A", "--format", "markdown,latex", "--margin", "5")
    assert told("A") == told("A", "--margin", "5") == []
    assert told("A", "--margin", "6.25") == [
        f"{OF}A give with --margin 6.25: A/summary.md, A/summary.tex, A/pairs.csv; "
        "python -m sweeper.aggregate A --margin 6.25 --format markdown,latex makes them anew"
    ]
    make_run(Path("A"), optimizer="adam", seed=4)
    assert " --margin 5 --format " in told("A")[0]


def test_each_form_has_the_margin_that_it_states(told):
    told("A", "--format", "markdown", "--margin", "5")
    told("A", "--format", "latex")
    assert told("A") == []
    make_run(Path("A"), optimizer="adam", seed=4)
    with_margin, without = told("A")
    assert with_margin.endswith(" A --margin 5 --format markdown makes it anew")
    assert without.endswith(" A --format latex makes them anew")


def test_what_is_edited_by_hand_or_holds_the_version_of_its_writer_is_not_compared(told):
    told("A", "--format", "latex")
    for name in ("setup.tex", "references.bib", "results.parquet"):
        Path("A", name).write_text("mine", encoding="utf-8")
    assert told("A") == []


def test_a_long_row_of_digits_takes_no_time(told):
    Path("A/summary.md").write_text("1" * 1_000_000, encoding="utf-8")
    began = time.monotonic()
    assert len(told("A")) == 1 and time.monotonic() - began < 20


def test_damaged_tables_are_named_and_what_is_no_file_is_not(told, monkeypatch):
    monkeypatch.setattr("sweeper.aggregate.beside.TABLE_BYTES", 10_000)
    Path("A/summary.md").touch()
    Path("A/pairs.tex").write_bytes(b"\xff" * 20_000)  # more than is read
    os.mkfifo("A/pairs.csv")
    line = (
        f"{OF}A give: A/summary.md, A/pairs.tex; python -m sweeper.aggregate A --format markdown,latex makes them anew"
    )
    assert told("A") == [line]


def test_last_digits_in_which_machines_differ_are_no_difference(told):
    told("A", "--format", "latex")
    table = Path("A/pairs.csv")
    head, _, row = table.read_text(encoding="utf-8").partition("\n")
    cells = row.split(",")
    place = next(number for number, cell in enumerate(cells) if len(cell) > 15 and cell.replace(".", "").isdigit())
    cells[place] = str(float(cells[place]) * (1 + 1e-13))
    assert ",".join(cells) != row
    table.write_text(f"{head}\n{','.join(cells)}", encoding="utf-8")
    assert told("A") == []
    cells[place] = str(float(cells[place]) * 1.001)
    table.write_text(f"{head}\n{','.join(cells)}", encoding="utf-8")
    assert [line.partition("; ")[0] for line in told("A")] == [f"{OF}A give: A/pairs.csv"]


def test_a_folder_whose_name_begins_with_a_dash(told):
    told("A", "--into", "./-T", "--format", "markdown")
    (line,) = told("B", "--into", "./-T")
    assert line.startswith(f"{OF}B give: -T/summary.md; ") and follow(told, line) == []


def test_the_end_of_a_sweep_names_tables_that_it_does_not_make(told, capfd):
    told("A", "--format", "markdown")
    make_run(Path("A"), optimizer="adam", seed=4)
    capfd.readouterr()
    assert update_tables("A")
    *_, last = capfd.readouterr().out.splitlines()
    assert last == f"{OF}A give: A/summary.md; python -m sweeper.aggregate A --format markdown makes it anew"
