"""The benchmarks' files of figures have one owner."""

import argparse
import importlib
import re

import pytest
from conftest import REPOSITORY

from benchmarks.figures import count, write_csv


def test_each_row_is_in_the_file_before_the_next_is_measured(tmp_path):
    seen = []

    def measured():
        for k in range(2):
            yield {"runs": k, "seconds": 0.5} if k else {"runs": k}
            seen.append((tmp_path / "figures.csv").read_text())

    write_csv(tmp_path / "figures.csv", ("runs", "seconds"), measured())
    assert seen == ["runs,seconds\n0,\n", "runs,seconds\n0,\n1,0.5\n"]
    with pytest.raises(ValueError, match="memory"):
        write_csv(tmp_path / "figures.csv", ("runs",), [{"runs": 1, "memory": 2}])


def test_no_benchmark_writes_its_table_by_itself():
    """But `textbook`, which adds a line to a file of several machines."""
    writers = {file.name for file in (REPOSITORY / "benchmarks").glob("*.py") if "DictWriter" in file.read_text()}
    assert writers == {"figures.py", "textbook.py"}


@pytest.mark.parametrize("name", ["coverage", "decide", "pairing", "power"])
@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("nope", 2)])
def test_a_benchmark_without_options_begins_nothing_at_any_word(monkeypatch, capsys, name, word, code):
    monkeypatch.setattr("sys.argv", [name, word])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main()
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert f"python -m benchmarks.{name}" in (out or err)


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5"])
def test_a_number_of_something_is_a_whole_one_from_1_on(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"{text}: a whole number from 1 on"):
        count(text)


def test_no_option_of_a_benchmark_takes_no_rounds_at_all():
    """It would leave a file without rows."""
    for file in (REPOSITORY / "benchmarks").glob("*.py"):
        assert not re.search(r'"--(rounds|runs|trained|sweep-lanes)",\s+type=int', file.read_text()), file.name


def test_one_work_alone_is_not_written_over_the_file_of_all(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["waiting", "--only", "digits, mlp"])
    with pytest.raises(SystemExit):
        importlib.import_module("benchmarks.waiting").main()
    assert "--only: the file in benchmarks/results has all works" in capsys.readouterr().err
