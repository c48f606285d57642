"""A run's log never costs the run: what can't be written is left out, and said once."""

import logging
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf

from sweeper.config.grid import CONF
from sweeper.system.errors import RunFailed
from sweeper.train.hydra_hooks import ForgetConfigurations, RunLog


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


@pytest.mark.parametrize("how", [[], ["-m", "hydra/launcher=basic"]])
def test_a_runs_own_failure_is_our_line_alone(call, monkeypatch, how):
    """Hydra would print `Error executing job with overrides` above it."""

    def fail(assignment):
        raise RunFailed("run.json: No space left on device; make room")

    monkeypatch.setattr("sweeper.train.task.execute_run", fail)
    monkeypatch.setattr("sweeper.train.sweep._rehearse", lambda *words: None)
    monkeypatch.setattr("sweeper.train.sweep_end.update_tables", lambda *words: True)
    code, out, err = call(*how, "dataset=digits", "device=cpu", "device.threads=1")
    assert (code, out) == (1, "")
    *first, last = err.splitlines()
    assert [line.partition(",")[0] for line in first] == ["1 run"] * bool(how)
    assert last == "error: run.json: No space left on device; make room"


def test_a_runs_configurations_are_forgotten_at_its_end():
    config = OmegaConf.create({"a": 1})
    job = JobReturn(overrides=["a=1"], cfg=config, hydra_cfg=config)
    ForgetConfigurations().on_job_end(config, job)
    assert (job.cfg, job.hydra_cfg, job.overrides) == (None, None, ["a=1"])
    callbacks = OmegaConf.load(CONF / "config.yaml").hydra.callbacks
    assert [callback._target_ for callback in callbacks.values()] == ["sweeper.train.hydra_hooks.ForgetConfigurations"]
