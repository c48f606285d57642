"""Which runs share a device, and what a run costs of it."""

import json

import pytest
from made_runs import change_record, make_run

from sweeper.runs.record import read_run
from sweeper.system.processes import process_started, this_process
from sweeper.train.presence import DeviceTime, Presence, is_used_by_others, shared_before


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Where the marks of runs on a CPU lie."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    return Presence("cpu")._file.parent


def mark(folder, pid, **changed):
    """The mark of another process, the first of this machine, which lives as long as it does, where `pid` is 1."""
    seen = {**this_process(), "pid": pid, "process_started": process_started(pid), **changed}
    folder.mkdir(exist_ok=True)
    (folder / str(pid)).write_text(json.dumps(seen))
    return folder / str(pid)


def test_two_runs_at_once_on_one_device_see_each_other(folder):
    with Presence("cpu") as alone:
        assert not alone.others
        other = mark(folder, 1)
        assert is_used_by_others("cpu")
        alone.look()
        assert alone.others
    other.unlink()
    assert not is_used_by_others("cpu")
    with Presence("cpu") as again:
        gone = mark(folder, 999999999)
        again.look()
        assert not again.others and not gone.exists()


def test_what_a_run_leaves_to_others_tells_of_its_process(folder):
    with Presence("cpu"):
        (own,) = folder.iterdir()
        assert json.loads(own.read_text()) == this_process()


def test_a_killed_run_whose_number_is_another_process_by_now_is_none(folder):
    left = mark(folder, 1, process_started="another time")
    with Presence("cpu") as run:
        assert not run.others and not is_used_by_others("cpu") and not left.exists()


@pytest.mark.parametrize("content", ["", "{", "[" * 99999, "[1]", '{"pid": 1}', None])
def test_a_mark_that_tells_nothing_of_a_process_here_is_neither_counted_nor_removed(folder, content):
    """It is being written, or lies in a folder that containers share."""
    other = mark(folder, 1, boot="another container's")
    if content is not None:
        other.write_text(content)
    with Presence("cpu") as run:
        assert not run.others and other.exists()


def test_runs_of_one_process_see_each_other_and_leave_its_file_to_the_last(folder):
    with Presence("cpu") as first:
        assert Presence.runs_here() == 1 and not first.others and not is_used_by_others("cpu")
        with Presence("cpu") as second:
            assert Presence.runs_here() == 2
        assert first.others and second.others  # known at once, and kept when the other is gone
        assert first._file.exists()
    assert Presence.runs_here() == 0 and not first._file.exists()


@pytest.mark.parametrize("cause", ["nowhere", "full", "unreadable"])
def test_where_the_folder_can_not_be_used_nobody_knows_of_others(monkeypatch, tmp_path, cause):
    def fail(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    if cause == "unreadable":
        monkeypatch.setattr("sweeper.train.presence._others", fail)
    else:
        name = {"nowhere": "shared_temporary_folder", "full": "write_mark"}[cause]
        monkeypatch.setattr(f"sweeper.train.presence.{name}", fail)
    with Presence("cpu") as first:
        assert first.others is None
        with Presence("cpu"):
            assert first.others is True
    assert first.others is True


def test_a_file_that_can_not_be_removed_hides_no_other_run(folder, monkeypatch):
    monkeypatch.setattr("sweeper.train.presence.remove_file", refuse)
    for number in range(8):
        mark(folder, 10**8 + number)  # processes that are gone
    mark(folder, 1)
    assert is_used_by_others("cpu")


def refuse(path):
    raise OSError(1, "Operation not permitted", str(path))


def test_runs_that_share_a_device_share_its_seconds(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("sweeper.train.presence.time.perf_counter", lambda: now[0])
    alone, beside = DeviceTime(None, 1), DeviceTime(None, 1)
    now[0] += 5
    assert (alone.count(), alone.count()) == (5, 5)
    with Presence("cpu"), Presence("cpu"):
        now[0] += 4
        assert (alone.count(), beside.count()) == (7, 4.5)
    assert DeviceTime(None, 3).count() == 0
    in_three_processes = DeviceTime(None, 3)
    now[0] += 6
    assert in_three_processes.count() == 2


@pytest.mark.parametrize(("recorded", "before"), [(30.5, 30.5), (None, 0), ("much", 0), (-1, 0), ([1], 0)])
def test_a_run_that_goes_on_counts_on(tmp_path, recorded, before):
    run = make_run(tmp_path, "interrupted", environment={"device_seconds": recorded})
    assert DeviceTime(read_run(run), 1).count() == pytest.approx(before, abs=0.1)


@pytest.mark.parametrize(
    ("status", "shared", "known"),
    [("interrupted", True, True), ("interrupted", False, False), ("running", False, None)],
)
def test_a_run_that_goes_on_tells_whether_its_first_part_shared_the_device(tmp_path, status, shared, known):
    run = make_run(tmp_path, status)
    if status != "running":  # which has no result yet
        change_record(run, result__shared_device=shared)
    record = read_run(run)
    assert shared_before(run, record) is False  # nothing to go on from
    (run / "checkpoint.pt").touch()
    assert shared_before(run, record) is known
    assert shared_before(run, None) is None
