"""`run.json` is read with suspicion: damaged, unknown and newer records end in a line, and tell what is finished."""

import json

import pytest
from made_runs import change_record, make_run

from sweeper.runs.directory import RunDirectory
from sweeper.runs.record import (
    Damaged,
    OfAnotherRun,
    Refused,
    effective_status,
    find_finished,
    read_run,
    recorded_status,
)


@pytest.mark.parametrize(("status", "finished"), [("completed", True), ("diverged", True), ("failed", False)])
def test_completed_and_diverged_are_finished(tmp_path, status, finished):
    assert (find_finished(make_run(tmp_path, status)) is not None) == finished


def test_a_running_run_without_an_owner_is_interrupted(tmp_path):
    directory = make_run(tmp_path, "running")
    run = read_run(directory)
    assert effective_status(run, directory) == "interrupted"
    with RunDirectory(directory).lock():
        assert effective_status(run, directory) == "running"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not whole JSON"),
        (b'{"schema_version": 1, "sta', "not whole JSON"),
        (b"[1]", "not a run's record"),
        (b"[" * 100_000, "not whole JSON"),
        (b"\xff\xfe", "not whole JSON"),
        (json.dumps({"schema_version": 99}).encode(), "of schema 99, this sweeper reads up to 1; update sweeper"),
        (json.dumps({"schema_version": 1, "status": "completed"}).encode(), "not a run's record of schema 1"),
    ],
)
def test_a_damaged_record_is_told_in_one_line(tmp_path, content, words):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(Damaged, match=words) as damage:
        read_run(tmp_path)
    assert str(damage.value).startswith(f"{tmp_path}/run.json: ") and "\n" not in str(damage.value)


def test_a_record_of_a_later_version_is_refused_and_not_taken_for_work_to_do(tmp_path):
    """It may be whole, so that another run in its place would lose it."""
    for change in ({"schema_version": 2}, {"identity_version": 99}):
        directory = make_run(tmp_path / str(change))
        change_record(directory, **change)
        with pytest.raises(Refused, match="update sweeper"):
            find_finished(directory)
        assert recorded_status(directory) is None


def test_a_record_of_another_run_is_not_believed_but_by_who_asks_for_it(tmp_path):
    directory = make_run(tmp_path)
    change_record(directory, config__seed=7)
    with pytest.raises(OfAnotherRun):
        read_run(directory)
    assert read_run(directory, own=False)["config"]["seed"] == 7
    assert find_finished(directory) is None
