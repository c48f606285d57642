"""TensorBoard reads each point once, and nobody's host."""

import pytest

from tests.train.trackers.test_tracking import ROWS, tells_host, track


def test_tensorboard_reads_each_point_once_after_a_resumption(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    target = {"_target_": "sweeper.trackers.tensorboard.TensorBoard"}
    track(tmp_path, "tensorboard", ROWS[:2], "interrupted", **target)
    track(tmp_path, "tensorboard", **target)
    events = EventAccumulator(str(tmp_path / "digits-cnn" / "sgd-seed1-00000000" / "tensorboard"))
    events.Reload()
    points = [(point.step, point.value) for point in events.Scalars("test_accuracy")]
    assert points == [(20, 0.25), (40, 0.5), (60, 0.75)]
    assert {"train_loss", "lr", "images_per_second"} <= set(events.Tags()["scalars"])
    assert "val_accuracy" not in events.Tags()["scalars"]  # the run has none


@pytest.mark.parametrize("record_host", [True, False])
def test_tensorboard_gets_no_host_that_is_not_recorded(tmp_path, monkeypatch, warnings, record_host):
    pytest.importorskip("tensorboard")
    target = {"_target_": "sweeper.trackers.tensorboard.TensorBoard"}
    assert tells_host(tmp_path, monkeypatch, "tensorboard", record_host, **target) is record_host
    assert not warnings
