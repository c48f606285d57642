"""What an earlier process left: a record is read once, what is damaged is kept, a rerun keeps what was there."""

import json

import pytest
from made_runs import change_record, make_config, make_run

from sweeper.engine.numerics import Kept
from sweeper.runs.directory import RunDirectory
from sweeper.runs.record import Damaged, OfAnotherRun, Refused
from sweeper.train.assignment import Assignment
from sweeper.train.earlier import Earlier, make_way, read_earlier

DEVICE = {"kind": "cpu", "threads": None, "precision": "auto", "compile": "auto", "deterministic": False}


def assign(directory, rerun=False, **device) -> Assignment:
    config = make_config() | {"rerun": rerun, "device": DEVICE | device}
    return Assignment(config, directory, 1, 1, [])


def take_up(assignment: Assignment) -> tuple[Earlier, Kept]:
    return make_way(assignment, assignment.files(), read_earlier(assignment))


def test_a_whole_record_is_handed_on(tmp_path):
    directory = make_run(tmp_path, "interrupted")
    earlier, _ = take_up(assign(directory))
    assert earlier.status is not None and earlier.status.goes_on and earlier.damage is None
    assert earlier.record["config"]["epochs"] == 3
    assert not (directory / "previous").exists()


def test_a_new_run_has_none_and_nothing_to_report(tmp_path, caplog):
    earlier, kept = take_up(assign(tmp_path / "new"))
    assert (earlier.record, earlier.status) == (None, None) and isinstance(earlier.damage, Damaged)
    assert kept == Kept(DEVICE, 1, [], []) and not caplog.messages and not (tmp_path / "new").exists()


def test_a_damaged_record_is_no_reason_to_leave_a_whole_checkpoint(tmp_path, caplog):
    run = RunDirectory(make_run(tmp_path, "running"))
    run.write_checkpoint({"epoch": 1, "numerics": {"device": "cpu", "threads": 1}})
    (run.path / "run.json").write_text("{")
    _, kept = take_up(assign(run.path))
    assert "not whole JSON; the run goes on from its checkpoint" in caplog.text
    assert run.load_checkpoint() is not None and not (run.path / "previous").exists()
    assert kept.threads == 1
    (run.path / "checkpoint.pt").write_bytes(b"x")
    take_up(assign(run.path))
    assert "the run is trained anew" in caplog.text
    assert (run.path / "previous" / "1" / "metrics.csv").exists() and not (run.path / "checkpoint.pt").exists()


def test_without_a_record_a_checkpoint_of_another_run_is_kept_aside_and_decides_nothing(tmp_path, caplog):
    run = RunDirectory(make_run(tmp_path, "running"))
    run.write_checkpoint({"run": "digits-mlp/another", "epoch": 1, "numerics": {"device": "cpu", "threads": 3}})
    (run.path / "run.json").write_text("{")
    _, kept = take_up(assign(run.path))
    assert kept.threads == 1 and "the run is trained anew" in caplog.text
    assert (run.path / "previous" / "1" / "checkpoint.pt").exists() and run.load_checkpoint() is None


def test_a_record_of_another_run_is_kept_aside_from_a_whole_checkpoint(tmp_path, caplog):
    run = RunDirectory(make_run(tmp_path, "interrupted"))
    run.write_checkpoint({"epoch": 1})
    change_record(run.path, config__seed=2)
    earlier, _ = take_up(assign(run.path))
    assert isinstance(earlier.damage, OfAnotherRun) and earlier.record is None
    assert f"it is kept in {run.path}/previous/1; the run goes on from its checkpoint" in caplog.text
    assert json.loads((run.path / "previous" / "1" / "run.json").read_text())["config"]["seed"] == 2
    assert run.load_checkpoint() is not None


def test_a_record_that_may_be_whole_stops_the_run_but_not_its_rerun(tmp_path):
    directory = make_run(tmp_path)
    change_record(directory, schema_version=99)
    with pytest.raises(Refused, match="update sweeper"):
        read_earlier(assign(directory))
    assert (directory / "run.json").exists()
    take_up(assign(directory, rerun=True))
    assert not (directory / "run.json").exists() and (directory / "previous" / "1" / "run.json").exists()


@pytest.mark.parametrize(
    ("status", "aside"), [("completed", True), ("failed", True), ("pruned", True), ("interrupted", False)]
)
def test_a_rerun_keeps_what_was_there_and_goes_on_where_it_was_interrupted(tmp_path, status, aside):
    directory = make_run(tmp_path, status)
    earlier, _ = take_up(assign(directory, rerun=True))
    assert (directory / "previous").exists() == aside
    assert (earlier.record is None) == aside


def test_an_interrupted_rerun_with_other_options_begins_anew(tmp_path):
    directory = make_run(tmp_path, "interrupted", environment={"device": "cpu", "threads": 2, "precision": "fp32"})
    (directory / "checkpoint.pt").touch()
    _, kept = take_up(assign(directory, threads=2, rerun=True))
    assert kept.threads == 2 and not kept.refused and (directory / "checkpoint.pt").exists()
    earlier, kept = take_up(assign(directory, threads=1, rerun=True))
    assert (kept.threads, kept.refused, earlier.record) == (1, [], None)
    assert (directory / "previous" / "1" / "checkpoint.pt").exists()


def test_a_rerun_goes_on_from_no_checkpoint_of_other_code_of_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setattr("sweeper.train.earlier.own_code", lambda config: {"myopt": "2"})
    for then, rerun, goes_on in (("1", False, True), ("2", True, True), ("1", True, False)):
        run = RunDirectory(make_run(tmp_path / then / str(rerun), "interrupted", environment={"code": {"myopt": then}}))
        run.write_checkpoint({"epoch": 1})
        earlier, _ = take_up(assign(run.path, rerun=rerun))
        assert (earlier.record is not None) == (run.load_checkpoint() is not None) == goes_on
