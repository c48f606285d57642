"""A run's figures from its epochs' rows."""

import subprocess

import pytest
from made_runs import change_record, make_rows, make_run

import sweeper.train.record
from sweeper.runs.record import read_run
from sweeper.runs.status import Status
from sweeper.train.presence import DeviceTime, Presence, shared_before
from sweeper.train.record import _commit, summarize_rows

ROWS = make_rows([0.5, 0.9, 0.8])


def summarize(status: str = "completed", target: float | None = None, rows: list | None = None) -> dict:
    return summarize_rows(ROWS if rows is None else rows, {"target_accuracy": target}, {}, Status(status), shared=False)


def test_final_and_best_are_both_told():
    result = summarize()
    assert (result["final_test_accuracy"], result["best_test_accuracy"], result["best_epoch"]) == (0.8, 0.9, 2)
    assert (result["epochs_done"], result["steps"], result["train_seconds"]) == (3, 60, 1.5)
    assert result["images_per_second"] == 2000


def test_only_a_completed_run_has_final_figures():
    for status in ("diverged", "failed", "interrupted"):
        result = summarize(status)
        assert result["final_test_accuracy"] is None and result["final_train_loss"] is None
        assert result["best_test_accuracy"] == 0.9


@pytest.mark.parametrize(
    ("target", "status", "steps"),
    [
        (None, "completed", None),
        (0.5, "completed", 20),
        (0.85, "completed", 40),
        (0.95, "completed", "inf"),
        (0.95, "diverged", "inf"),
        (0.95, "interrupted", None),
        (0.5, "interrupted", 20),
    ],
)
def test_steps_to_target_are_of_the_first_epoch_that_reaches_it(target, status, steps):
    assert summarize(status, target)["steps_to_target"] == steps


def test_a_run_without_an_epoch_has_no_figures():
    result = summarize("failed", 0.5, rows=[])
    assert result["epochs_done"] == 0 and result["best_test_accuracy"] is None and result["images_per_second"] is None


def test_two_runs_at_once_on_one_device_see_each_other(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    with Presence("cpu") as alone:
        assert not alone.others
        other = alone._file.parent / "1"  # the first process of this machine lives as long as it does
        other.touch()
        alone.look()
        assert alone.others
    other.unlink()
    with Presence("cpu") as again:
        (again._file.parent / "999999999").touch()  # a process that is gone
        again.look()
        assert not again.others


def test_runs_of_one_process_see_each_other_and_leave_its_file_to_the_last(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    with Presence("cpu") as first:
        assert Presence.runs_here() == 1 and not first.others
        with Presence("cpu") as second:
            assert Presence.runs_here() == 2
        assert first.others and second.others  # known at once, and kept when the other is gone
        assert first._file.exists()
    assert Presence.runs_here() == 0 and not first._file.exists()


def test_runs_that_share_a_device_share_its_seconds(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("sweeper.train.record.time.perf_counter", lambda: now[0])
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


@pytest.mark.parametrize(("given", "recorded"), [("0123456789ab", "0123456789ab"), ("", None), (None, None)])
def test_without_a_clone_the_commit_is_what_the_environment_says(tmp_path, monkeypatch, given, recorded):
    monkeypatch.delenv("SWEEPER_COMMIT", raising=False)
    if given is not None:
        monkeypatch.setenv("SWEEPER_COMMIT", given)
    monkeypatch.setattr(sweeper.train.record, "PACKAGE", tmp_path / "sweeper")
    assert _commit() == recorded


def test_a_clones_own_commit_counts_whatever_the_environment_says(tmp_path, monkeypatch):
    def git(*words: str) -> str:
        given = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *given, *words], check=True, capture_output=True, text=True
        ).stdout

    monkeypatch.setenv("SWEEPER_COMMIT", "something else")
    monkeypatch.setattr(sweeper.train.record, "PACKAGE", tmp_path / "sweeper")
    git("init", "-q")
    (tmp_path / "file").write_text("as committed")
    git("add", ".")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD").strip()
    assert _commit() == commit[:12]
    (tmp_path / "file").write_text("changed")
    assert _commit() == f"{commit[:12]}-dirty"
