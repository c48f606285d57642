"""A file whose size is beyond its limit, though it takes no room on the disk, takes no memory either."""

import contextlib
import json
import os
import time

import pytest
from made_runs import make_run

from sweeper.aggregate import command as aggregate
from sweeper.config.preset import files_to_remove
from sweeper.report import command as report
from sweeper.runs.directory import RunDirectory
from sweeper.runs.sweep_files import SweepStop, read_sweeps
from sweeper.system.errors import BadInput
from sweeper.system.files import read_without_checksum, with_checksum
from sweeper.system.limits import MOST_SECONDS
from sweeper.system.lock import Lock, read_lock
from sweeper.watch import command as watch
from sweeper.watch import load

HUGE = 30 * 2**30


@pytest.fixture
def little_memory():
    """Memory for all but such a file, so that a test that fails takes no more."""
    resource = pytest.importorskip("resource")
    psutil = pytest.importorskip("psutil")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 4 * 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def enlarge(path) -> None:
    with path.open("ab"):
        os.truncate(path, HUGE)


@pytest.mark.parametrize(
    ("status", "name", "shown"),
    [
        ("completed", "run.json", "damaged"),
        ("completed", "metrics.csv", "completed"),
        ("running", "metrics.csv", "interrupted"),
        ("running", "run.lock", "interrupted"),
        ("completed", "model.safetensors", "completed"),
        ("running", "checkpoint.pt", "interrupted"),
    ],
)
def test_commands_show_a_run_with_a_huge_file_and_the_others(
    tmp_path, little_memory, monkeypatch, capsys, status, name, shown
):
    monkeypatch.setattr(load, "SETTLE", 0)
    whole, broken = make_run(tmp_path), make_run(tmp_path, status, seed=2)
    enlarge(broken / name)
    assert aggregate.main([str(tmp_path)]) == report.main([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert watch.main([str(tmp_path), "--json"]) == 0
    runs = {run["run"].split("/")[1]: run for run in json.loads(capsys.readouterr().out)["runs"]}
    assert (runs[whole.name]["status"], runs[broken.name]["status"]) == ("completed", shown)
    if name in ("run.json", "metrics.csv"):
        assert "of more than " in runs[broken.name]["error"]
        assert f"{shown}: {broken.parent.name}/{broken.name}: {name}" in said
        assert "of more than " in (tmp_path / "report.html").read_text()


def test_a_huge_lock_is_taken_over(tmp_path, little_memory):
    path = tmp_path / "run.lock"
    enlarge(path)
    assert read_lock(path) is None
    with Lock(path) as lock:
        lock.check()
    assert not path.exists()


def test_other_huge_files_count_as_none(tmp_path, little_memory):
    for name in (".sweep-a.json", ".stop-a", "tracking.key"):
        enlarge(tmp_path / name)
    assert read_sweeps(tmp_path) == []
    assert SweepStop(tmp_path / ".stop-a").requested() and SweepStop(tmp_path / ".stop-a").reason() is None
    assert RunDirectory(tmp_path).tracking_key() is None
    (tmp_path / "settings" / "tuned").mkdir(parents=True)
    enlarge(tmp_path / "settings" / "tuned" / "sgd.yaml")
    with pytest.raises(BadInput, match="was not written by sweeper"):
        files_to_remove(tmp_path, "tuned", {}, replace=True)


def test_a_date_in_the_longest_time_exists():
    with contextlib.suppress(OverflowError):
        assert time.gmtime(time.time() + MOST_SECONDS).tm_year > 3000
        return
    pytest.fail("no such date")


def test_a_checkpoint_is_of_any_size_and_read_only_if_it_is_whole(tmp_path, little_memory):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(with_checksum(b"state"))
    assert read_without_checksum(path) == b"state"
    path.write_bytes(with_checksum(b"state")[:-1] + b"g")
    with pytest.raises(ValueError, match="it has no checksum"):
        read_without_checksum(path)
    enlarge(path)
    with pytest.raises(ValueError, match="it has no checksum"):
        read_without_checksum(path)
    path.write_bytes(b"other" + with_checksum(b"state"))
    with pytest.raises(ValueError, match="its checksum doesn't match"):
        read_without_checksum(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="it has no checksum"):
        read_without_checksum(path)
