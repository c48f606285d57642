"""Tables and page are made anew where they lack what was written since, and only there."""

import os

from made_runs import make_run

from sweeper.report.renewal import MADE, are_made, make_anew


def test_they_are_made_once_after_the_files_of_which_they_tell(tmp_path):
    record = make_run(tmp_path) / "run.json"
    assert not are_made(tmp_path, [record])
    assert make_anew(tmp_path) == [tmp_path / "report.html"] and all((tmp_path / name).exists() for name in MADE)
    assert are_made(tmp_path, [record]) and are_made(tmp_path, [tmp_path / "none"])
    os.utime(tmp_path / "results.csv", ns=(0, 0))  # as where this one didn't fit on the disk
    assert not are_made(tmp_path, [record])


def test_what_can_not_be_written_is_told_in_a_line(tmp_path, capsys):
    make_run(tmp_path)
    (tmp_path / "report.html").mkdir()
    assert make_anew(tmp_path) is None
    told = capsys.readouterr().err
    assert told.startswith(f"{tmp_path}/report.html: can't be written: ") and told.count("\n") == 1
