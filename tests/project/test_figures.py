"""The benchmarks' files of figures have one owner."""

import importlib

import pytest
from conftest import REPOSITORY

from benchmarks.figures import write_csv


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


def test_one_work_alone_is_not_written_over_the_file_of_all(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["waiting", "--only", "digits, mlp"])
    with pytest.raises(SystemExit):
        importlib.import_module("benchmarks.waiting").main()
    assert "--only: the file in benchmarks/results has all works" in capsys.readouterr().err
