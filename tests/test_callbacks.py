"""A sweep's end: tables and page, each by a process of its own, and neither harms the other."""

from made_runs import make_run

from sweeper.callbacks import update_tables


def test_tables_and_page_are_written_and_named(tmp_path, capfd):
    make_run(tmp_path)
    update_tables(str(tmp_path))
    out, error = capfd.readouterr()
    assert out.splitlines()[-2:] == [
        f"written: {tmp_path}/results.csv, {tmp_path}/summary.csv",
        f"written: {tmp_path}/report.html",
    ]
    assert error == "" and (tmp_path / "report.html").stat().st_size > 10_000


def test_a_page_that_can_not_be_written_is_one_line(tmp_path, capfd):
    make_run(tmp_path)
    (tmp_path / "report.html").mkdir()
    update_tables(str(tmp_path))
    out, error = capfd.readouterr()
    assert "results.csv" in out.splitlines()[-1]
    assert error == f"no report.html: {tmp_path}: report.html can't be written there: Is a directory\n"


def test_without_runs_there_is_one_line_not_two(tmp_path, capfd):
    update_tables(str(tmp_path))
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and "there are no runs in this folder" in error
