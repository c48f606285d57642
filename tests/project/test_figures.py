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


@pytest.mark.parametrize("name", ["coverage", "decide", "pairing", "power"])
@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("nope", 2)])
def test_a_benchmark_without_options_begins_nothing_at_any_word(monkeypatch, capsys, name, word, code):
    monkeypatch.setattr("sys.argv", [name, word])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main()
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert f"python -m benchmarks.{name}" in (out or err)
