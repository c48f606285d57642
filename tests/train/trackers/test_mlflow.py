"""MLflow reads each point once; no password is recorded."""

import pytest

from tests.train.trackers.test_tracking import ROWS, track


@pytest.mark.tracker
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the library's own
def test_mlflow_reads_each_point_once_after_a_resumption(tmp_path, monkeypatch, warnings):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    options = {"_target_": "sweeper.trackers.mlflow.MLflow", "uri": None, "experiment": "sweeper"}
    track(tmp_path, "mlflow", ROWS[:2], "interrupted", **options)
    track(tmp_path, "mlflow", **options)
    assert not warnings
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("sweeper").experiment_id])
    points = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "test_accuracy")]
    assert points == [(20, 0.25), (40, 0.5), (60, 0.75)]
    assert run.data.metrics["final_test_accuracy"] == 0.75
    assert (run.data.params["optimizer.lr"], run.data.tags["status"], run.info.status) == (
        "0.1",
        "completed",
        "FINISHED",
    )
    assert run.info.run_name.startswith("digits-cnn/sgd-seed1-")
