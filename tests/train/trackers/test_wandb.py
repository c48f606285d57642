"""Weights & Biases keeps each point once, and nobody's host."""

import struct
import time

import pytest

from tests.train.trackers.test_tracking import ROWS, tells_host, track


@pytest.mark.tracker
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("record_host", [True, False])
def test_wandb_gets_no_host_that_is_not_recorded(tmp_path, monkeypatch, warnings, record_host):
    pytest.importorskip("wandb")
    options = {"_target_": "sweeper.trackers.wandb.WandB", "project": "sweeper", "entity": None, "mode": "offline"}
    assert tells_host(tmp_path, monkeypatch, "wandb", record_host, **options) is record_host
    assert not warnings


@pytest.mark.tracker
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_wandb_keeps_each_point_once_offline_after_a_resumption(tmp_path, warnings):
    pytest.importorskip("wandb")
    options = {"_target_": "sweeper.trackers.wandb.WandB", "project": "sweeper", "entity": None, "mode": "offline"}
    track(tmp_path, "wandb", ROWS[:2], "interrupted", **options)
    track(tmp_path, "wandb", **options)
    assert not warnings
    (file,) = tmp_path.rglob("*.wandb")  # the record of the interrupted part is replaced
    until = time.monotonic() + 20  # a process of its own writes it
    while not (records := read_wandb(file)) or not records[-1].HasField("exit"):
        assert time.monotonic() < until
        time.sleep(0.1)
    points = [
        (record.history.step.num, float(item.value_json))
        for record in records
        if record.HasField("history")
        for item in record.history.item
        if list(item.nested_key) == ["test_accuracy"]
    ]
    assert points == [(20, 0.25), (40, 0.5), (60, 0.75)]


def read_wandb(file) -> list:
    """The records of a small file of wandb's: of LevelDB's log format, in one block of 32 KiB."""
    from wandb.proto import wandb_internal_pb2

    content, place, records = file.read_bytes(), 7, []
    assert len(content) < 2**15
    while place + 7 <= len(content):
        _, length, kind = struct.unpack_from("<IHB", content, place)
        assert kind == 1  # not a part of one
        if place + 7 + length > len(content):  # being written
            break
        record = wandb_internal_pb2.Record()
        record.ParseFromString(content[place + 7 : place + 7 + length])
        records.append(record)
        place += 7 + length
    return records
