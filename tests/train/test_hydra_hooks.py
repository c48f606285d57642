"""A run's log never costs the run: what can't be written is left out, and said once."""

import logging
from pathlib import Path

import pytest

from sweeper.train.hydra_hooks import RunLog


def log_to(path, lines=("one", "two", "three")) -> None:
    log = RunLog(path, delay=True)
    for line in lines:
        log.handle(logging.LogRecord("sweeper", logging.INFO, "", 0, line, (), None))
    log.close()


def test_lines_are_written(tmp_path, capsys):
    log_to(tmp_path / "train.log")
    assert (tmp_path / "train.log").read_text() == "one\ntwo\nthree\n"
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_disk_is_said_once_and_nothing_is_raised(capsys):
    log_to("/dev/full")
    assert capsys.readouterr().err == "/dev/full: No space left on device; the log is left out\n"


def test_a_folder_that_is_gone_is_said_once_and_nothing_is_raised(tmp_path, capsys):
    log_to(tmp_path / "gone" / "train.log")
    assert capsys.readouterr().err == f"{tmp_path}/gone/train.log: No such file or directory; the log is left out\n"


def test_a_mistake_in_the_code_that_logs_is_still_shown(tmp_path, capsys):
    log = RunLog(tmp_path / "train.log", delay=True)
    log.handle(logging.LogRecord("sweeper", logging.INFO, "", 0, "%d epochs", ("two",), None))
    log.close()
    assert "TypeError" in capsys.readouterr().err
