"""Measured gains on disk: found again for the same GPU, torch, engine and kinds of runs, and otherwise never."""

import json

import pytest

from sweeper.train.launchers import lane_cache
from sweeper.train.launchers.lane_cache import keep_gains, known_gains

GAINS = {1: 1.0, 2: 1.25, 3: 0.0}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(lane_cache, "gpu_name", lambda: "NVIDIA T4")
    keep_gains(["a", "b"], GAINS)
    return tmp_path / "optimizer-sweeper" / "lanes"


def test_the_same_kinds_find_them_in_any_order_and_number(cache):
    assert known_gains(["b", "a", "b"]) == GAINS
    assert known_gains(["a"]) is None


@pytest.mark.parametrize("changed", ["gpu_name", "_torch", "_engine"])
def test_another_device_or_version_does_not(cache, monkeypatch, changed):
    monkeypatch.setattr(lane_cache, changed, lambda: "another")
    assert known_gains(["a", "b"]) is None
    keep_gains(["a", "b"], {1: 1.0})
    assert known_gains(["a", "b"]) == {1: 1.0}
    monkeypatch.undo()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b"\xff"])
def test_a_damaged_file_is_as_none(cache, content):
    (file,) = cache.iterdir()
    file.write_bytes(content)
    assert known_gains(["a", "b"]) is None


@pytest.mark.parametrize(
    "gains",
    [
        3,
        {},
        {"x": 1},
        {"1": 2.0},
        {"1": 1, "2": -1},
        {"1": 1, "2": None},
        {"1": 1, "0": 1},
        {"1": 1, "2": float("inf")},
    ],
)
def test_gains_that_make_no_sense_are_as_none(cache, gains):
    (file,) = cache.iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"gains": gains}))
    assert known_gains(["a", "b"]) is None


def test_a_folder_that_cannot_be_written_costs_only_the_file(monkeypatch):
    monkeypatch.setattr(lane_cache, "cache_folder", lambda: None)
    keep_gains(["a"], GAINS)
    assert known_gains(["a"]) is None


def test_a_change_of_the_engine_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(lane_cache, "CODE", [tmp_path])
    before = lane_cache._engine()
    (tmp_path / "step.py").write_text("faster = True\n")
    assert lane_cache._engine() != before
