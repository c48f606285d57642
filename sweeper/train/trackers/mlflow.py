"""Tracks runs by MLflow, on the server of MLFLOW_TRACKING_URI or in `mlflow.db` in the folder of all runs."""

import logging
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sweeper.runs.identity import flat
from sweeper.runs.status import Status
from sweeper.system.errors import BadInput
from sweeper.system.paths import sqlite_url
from sweeper.train.trackers.tracking import Row, TrackedRun, figures_of

KEY = "sweeper.key"
# A run that was interrupted, and may go on, is KILLED.
ENDS = {Status.COMPLETED: "FINISHED", Status.DIVERGED: "FINISHED", Status.FAILED: "FAILED"}
MOST_AT_ONCE = 100  # values, which MLflow takes in one request


class MLflow:
    """Finds a resumed run by its key and logs only the steps that it doesn't have yet."""

    package = "mlflow"

    @staticmethod
    def check(uri: str | None, experiment: str) -> None:
        if uri is not None and urlsplit(uri).password:
            raise BadInput(
                "tracking.uri: holds a password, which run.json would record; "
                "give it by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )

    @staticmethod
    def prepare(outputs: Path, uri: str | None, experiment: str) -> None:
        """Create the database before several runs do so at the same time."""
        if (where := _where(uri, outputs)).startswith("sqlite:"):
            _experiment(_client(where), experiment)

    def __init__(self, run: TrackedRun, uri: str | None, experiment: str) -> None:
        from mlflow.entities import Metric, Param

        self._metric = Metric
        self._client = _client(_where(uri, run.outputs))
        number = _experiment(self._client, experiment)
        found = self._client.search_runs([number], f"tags.`{KEY}` = '{run.key}'", max_results=1)
        if found:
            self._run = found[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
        else:
            made = self._client.create_run(number, run_name=run.name, tags={KEY: run.key})
            self._run = made.info.run_id
            params = [Param(name, str(value)[:500]) for name, value in flat(run.config)]
            for k in range(0, len(params), MOST_AT_ONCE):
                self._client.log_batch(self._run, params=params[k : k + MOST_AT_ONCE])
        known = self._client.get_metric_history(self._run, "epoch") if found else []
        self._last_step = max((point.step for point in known), default=-1)

    def log(self, row: Row) -> None:
        if row["step"] > self._last_step:
            self._send(figures_of(row), row["step"])
            self._last_step = row["step"]

    def finish(self, status: str, result: Row) -> None:
        self._client.set_tag(self._run, "status", status)
        if Status(status).finished:
            self._send({name: value for name, value in result.items() if name != "shared_device"}, self._last_step)
        self._client.set_terminated(self._run, ENDS.get(Status(status), "KILLED"))

    def _send(self, values: Row, step: int) -> None:
        now = int(time.time() * 1000)
        numbers = {name: float(value) for name, value in values.items() if value is not None}
        self._client.log_batch(self._run, [self._metric(name, value, now, step) for name, value in numbers.items()])


def _where(uri: str | None, outputs: Path) -> str:
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or sqlite_url(outputs / "mlflow.db")


def _client(where: str) -> Any:
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it logs the creation of its tables
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=where)


def _experiment(client: Any, name: str) -> str:
    """The id of the experiment of this name, created if missing; a parallel run may create it first."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except Exception:
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)
