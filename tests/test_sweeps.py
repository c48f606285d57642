"""A sweep at work tells which runs it will do, and nothing that lies in its file's place harms a reader."""

import json
import os

import pytest
from made_runs import make_run

from sweeper.sweeps import read_sweeps, remove_sweep, sweep_file, write_sweep


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


def test_one_whose_process_is_gone_is_not_alive_and_forgotten_by_the_next(tmp_path):
    write_sweep(tmp_path, "old", [])
    content = json.loads(sweep_file(tmp_path, "old").read_text())
    sweep_file(tmp_path, "old").write_text(json.dumps(content | {"process_started": "1"}))
    assert [sweep.alive for sweep in read_sweeps(tmp_path)] == [False]
    write_sweep(tmp_path, "new", [])
    assert [sweep.path.name for sweep in read_sweeps(tmp_path)] == [".sweep-new.json"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
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
