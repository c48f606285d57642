"""What a run's lock tells of its progress, and what lies there instead."""

import json
import os

import pytest

from sweeper.runs.under_way import UnderWay, read_under_way


def lock(directory, **content):
    (directory / "run.lock").write_text(json.dumps(content))
    os.utime(directory / "run.lock", (1000, 1000))


def test_what_is_told_is_read_with_its_age(tmp_path):
    lock(tmp_path, owner="x", work=UnderWay(1.23456, 7.0).to_json(), unchanged=2.5)
    assert read_under_way(tmp_path, now=1004.0) == UnderWay(1.2346, 7.0, 6.5)
    assert read_under_way(tmp_path, now=990.0) == UnderWay(1.2346, 7.0, 2.5), "a clock that is behind"


def test_before_the_first_step_nothing_is_told(tmp_path):
    assert UnderWay(0.0, None).to_json() == {}
    assert read_under_way(tmp_path, now=0.0) is None
    lock(tmp_path, owner="x")
    assert read_under_way(tmp_path, now=0.0) is None


@pytest.mark.parametrize(
    "content",
    [
        {"work": [1]},
        {"work": {"epochs": 1.0}, "unchanged": 0},
        {"work": {"epochs": 1.0, "pace": 0}, "unchanged": 0},
        {"work": {"epochs": "1", "pace": 1}, "unchanged": 0},
        {"work": {"epochs": -1, "pace": 1}, "unchanged": 0},
        {"work": {"epochs": 1, "pace": float("nan")}, "unchanged": 0},
        {"work": {"epochs": 1, "pace": 1}},
        {"work": {"epochs": 1, "pace": 1}, "unchanged": 1e300},
    ],
)
def test_anything_else_is_nothing(tmp_path, content):
    lock(tmp_path, **content)
    assert read_under_way(tmp_path, now=1000.0) is None
