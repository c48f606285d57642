"""A sweep at work tells which runs it will do, and nothing that lies in its file's place harms a reader."""

import json
import os
import time

import pytest
from made_runs import make_run

from sweeper.runs.sweep_files import (
    SweepStop,
    read_sweeps,
    remove_sweep,
    stop_file,
    sweep_file,
    tidy_folder,
    write_sweep,
)


def test_a_stop_after_the_end_leaves_no_file(tmp_path, monkeypatch):
    """As Ctrl-C in the moment in which the command ends."""
    monkeypatch.delenv("SWEEPER_SWEEP", raising=False)
    stop = SweepStop.begin(tmp_path)
    stop.request("interrupted")
    assert stop.reason() == "interrupted"
    stop.end()
    stop.request("interrupted")
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_tells_its_runs_and_what_of_them_is_done(tmp_path):
    begun = make_run(tmp_path, "interrupted")
    again = make_run(tmp_path, seed=2)
    write_sweep(tmp_path, "abc", [(begun, 10, False), (again, 3, True), (tmp_path / "digits-cnn" / "new", 7, False)])
    (sweep,) = read_sweeps(tmp_path)
    assert sweep.alive
    assert [(run.epochs, run.done, run.anew) for run in sweep.runs] == [(10, 3, False), (3, 0, True), (7, 0, False)]
    assert sweep.runs[0].path == os.path.realpath(begun)
    remove_sweep(tmp_path, "abc")
    assert read_sweeps(tmp_path) == []


def test_its_runs_have_labels_by_what_varies(tmp_path):
    first, second = tmp_path / "a" / "b", tmp_path / "a" / "c"
    write_sweep(tmp_path, "abc", [(first, 1, False), (second, 1, False)], {first: "lr 0.1", second: ""})
    assert [run.label for sweep in read_sweeps(tmp_path) for run in sweep.runs] == ["lr 0.1", ""]
    write_sweep(tmp_path, "abc", [(first, 1, False)], {first: "tag " + "x" * 10**4})
    assert [run.label[:5] for sweep in read_sweeps(tmp_path) for run in sweep.runs] == ["tag x"]
    write_sweep(tmp_path, "abc", [(first, 1, False), (second, 1, False)])
    change(tmp_path, "abc", labels={"a/c": "\x1b[31mred"})
    assert [run.label for sweep in read_sweeps(tmp_path) for run in sweep.runs] == ["", " [31mred"]
    for odd in ([], {"a/c": 1}, {"a/c": "x" * 10**6}):
        change(tmp_path, "abc", labels=odd)
        assert read_sweeps(tmp_path) == []
    content = json.loads(sweep_file(tmp_path, "abc").read_text())
    del content["labels"]  # a former version's
    sweep_file(tmp_path, "abc").write_text(json.dumps(content))
    assert [run.label for sweep in read_sweeps(tmp_path) for run in sweep.runs] == ["", ""]


def change(outputs, key, **values):
    content = json.loads(sweep_file(outputs, key).read_text())
    sweep_file(outputs, key).write_text(json.dumps(content | values))


def names(outputs):
    return sorted(path.name for path in outputs.iterdir())


def test_one_whose_process_is_gone_is_not_alive_and_forgotten_by_the_next_command(tmp_path):
    for key in ("old", "new"):
        write_sweep(tmp_path, key, [])
        stop_file(tmp_path, key).touch()
    change(tmp_path, "old", process_started="1")
    assert {sweep.path.name: sweep.alive for sweep in read_sweeps(tmp_path)} == {
        ".sweep-old.json": False,
        ".sweep-new.json": True,
    }
    tidy_folder(tmp_path)
    assert names(tmp_path) == [".stop-new", ".sweep-new.json"]


def test_one_of_another_machine_is_forgotten_after_a_day(tmp_path):
    write_sweep(tmp_path, "far", [])
    change(tmp_path, "far", host="elsewhere")
    now = time.time()
    for age, left in ((300, [".sweep-far.json"]), (90_000, [])):
        os.utime(sweep_file(tmp_path, "far"), (now - age, now - age))
        tidy_folder(tmp_path)
        assert names(tmp_path) == left


def test_one_whose_process_this_machine_hides_is_forgotten_after_a_day(tmp_path, monkeypatch):
    write_sweep(tmp_path, "hidden", [])
    monkeypatch.setattr("sweeper.system.processes.process_started", lambda pid: "")
    change(tmp_path, "hidden", pid=1)
    now = time.time()
    for age, left in ((300, [".sweep-hidden.json"]), (90_000, [])):
        os.utime(sweep_file(tmp_path, "hidden"), (now - age, now - age))
        tidy_folder(tmp_path)
        assert names(tmp_path) == left


def test_what_killed_writers_left_is_removed_after_an_hour_and_nothing_else(tmp_path):
    left = [".results.csv-0123abcd", ".report.html-0123abcd", ".stop-0123456789ab", ".writable-a1_b2c3d"]
    left += ["..sweep-0123456789ab.json-0123abcd"]
    others = [".results.csv", ".mine.csv-0123abcd", "results.csv-0123abcd", ".results.csv-x"]
    for name in [*left, *others]:
        (tmp_path / name).touch()
    tidy_folder(tmp_path)
    assert names(tmp_path) == sorted([*left, *others])
    for name in [*left, *others]:
        os.utime(tmp_path / name, (0, 0))
    tidy_folder(tmp_path)
    assert names(tmp_path) == sorted(others)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        '{"runs": []}',
        '{"runs": {"a": 1}}',
        '{"runs": {"a": [1, 2]}}',
        '{"runs": {"a": ["1", 2, false]}}',
        '{"runs": {"a": [-1, 0, false]}}',
        '{"runs": {"a\\u0000b": [1, 0, false]}}',
        '{"runs": {"a": [1e400, 0, false]}}',
    ],
)
def test_a_file_that_tells_nonsense_is_passed_over(tmp_path, content):
    sweep_file(tmp_path, "bad").write_text(content)
    assert read_sweeps(tmp_path) == []


def test_what_is_no_file_is_passed_over(tmp_path):
    sweep_file(tmp_path, "folder").mkdir()
    os.mkfifo(sweep_file(tmp_path, "pipe"))
    sweep_file(tmp_path, "nowhere").symlink_to(tmp_path / "nothing")
    sweep_file(tmp_path, "bytes").write_bytes(b"\xff\xfe\x00")
    assert read_sweeps(tmp_path) == []
