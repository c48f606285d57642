"""Trackio gets each point once; where it isn't installed, a stand-in has the part of its interface that is used."""

import contextlib
import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest
from conftest import REPOSITORY, TINY, run_module

from sweeper.system.errors import BadInput
from sweeper.train.trackers.tracking import check_tracking
from tests.train.trackers.test_tracking import ROWS, track

OPTIONS = {"_target_": "sweeper.train.trackers.trackio.Trackio", "project": "sweeper", "space_id": None}


@pytest.fixture
def stored(monkeypatch):
    """A stand-in for trackio: its runs by name, each a list of (step, metrics). `init` takes what trackio's takes."""
    runs: dict[str, list] = {}
    settings: dict[str, dict] = {}
    trackio, utils = ModuleType("trackio"), ModuleType("trackio.utils")
    full: list[str] = []

    class Run:
        def __init__(self, name):
            self.name, self.finished = name, False

        def log(self, metrics, step=None):
            assert not self.finished and "step" not in metrics, "a reserved name"
            points = runs[self.name]
            points.append((step if step is not None else points[-1][0] + 1, metrics))

        def finish(self):
            trackio.print("* Run finished.")
            self.finished = True
            for reason in full:  # as its threads do
                utils.warnings.warn(f"failed to flush logs for run '{self.name}': {reason}. User code will continue.")

        def delete(self):
            del runs[self.name]

    class Api:
        def runs(self, project):
            if not runs:
                raise ValueError(f"Project '{project}' does not exist")
            return [Run(name) for name in runs]

    def init(project, name, group, space_id, config, resume, embed, auto_log_gpu, auto_log_cpu):
        trackio.print(f"* Trackio project initialized: {project}")
        assert not any(key.startswith("_") for key in config), "reserved names"
        settings[name] = {"project": project, "group": group, "resume": resume, "space_id": space_id}
        runs.setdefault(name, [])
        return Run(name)

    vars(trackio).update(init=init, Api=Api, print=print)
    monkeypatch.setitem(sys.modules, "trackio", trackio)
    monkeypatch.setitem(sys.modules, "trackio.utils", utils)
    return SimpleNamespace(runs=runs, settings=settings, full=full, utils=utils)


def test_each_point_is_there_once_after_a_resumption_and_nothing_is_printed(tmp_path, stored, warnings, capsys):
    track(tmp_path, "trackio", ROWS[:2], "interrupted", **OPTIONS)
    track(tmp_path, "trackio", **OPTIONS)
    assert not warnings
    ((name, points),) = stored.runs.items()
    assert [(step, metrics["test_accuracy"]) for step, metrics in points[:-1]] == [(20, 0.25), (40, 0.5), (60, 0.75)]
    assert points[-1][1]["status"] == "completed" and points[-1][1]["best_epoch"] == 3
    (setting,) = stored.settings.values()
    assert name.startswith(f"{setting['group']}-seed1-") and setting["project"] == "sweeper"
    assert capsys.readouterr().out == ""


def test_what_it_only_warns_of_is_one_line_of_the_run(tmp_path, stored, warnings):
    stored.full.append("[Errno 28] No space left on device")
    track(tmp_path, "trackio", **OPTIONS)
    (line,) = warnings
    assert line.endswith("': [Errno 28] No space left on device; the run goes on")
    stored.full.clear()
    track(tmp_path, "trackio", **OPTIONS)
    assert len(warnings) == 1, "it resumes, and nothing fails any more"
    with pytest.warns(UserWarning, match="of no run"):
        stored.utils.warnings.warn("of no run")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(
        BadInput, match=r"tracking=trackio: needs trackio.*; pip install 'optimizer-sweeper\[trackio\]'"
    ):
        check_tracking({"name": "trackio", **OPTIONS})


def test_a_project_is_a_name(stored):
    with pytest.raises(BadInput, match=r"tracking.project=a/b: must be a name without /"):
        check_tracking({"name": "trackio", **OPTIONS, "project": "a/b"})


RESUMED = f"""
import pathlib, warnings
from tests.train.trackers.test_tracking import ROWS, track
warnings.simplefilter("error")
for rows, status in ((ROWS[:2], "interrupted"), (ROWS, "completed")):
    track(pathlib.Path(), "trackio", rows, status, **{OPTIONS})
"""


@pytest.mark.tracker
@pytest.mark.slow
def test_trackio_keeps_each_point_of_a_sweep_and_of_a_resumed_run_once(tmp_path):
    pytest.importorskip("trackio")
    kept = {"TRACKIO_DIR": str(tmp_path / "kept"), "HF_HUB_OFFLINE": "1"}
    done = run_module("train", "-m", "tracking=trackio", "optimizer=sgd,adam", *TINY, cwd=tmp_path, **kept)
    assert done.returncode == 0 and "arning" not in done.stdout + done.stderr and "* " not in done.stdout, done.stderr
    for name, points in read_trackio(tmp_path / "kept" / "sweeper.db").items():
        run = tmp_path / "outputs" / name.rpartition("-")[0]
        with open(run / "metrics.csv", encoding="utf-8") as file:
            rows = [(int(row["step"]), float(row["test_accuracy"])) for row in csv.DictReader(file)]
        assert len(rows) == 2 and [(step, point["test_accuracy"]) for step, point in points[:-1]] == rows
        assert points[-1][1]["final_test_accuracy"] == rows[-1][1] and points[-1][1]["status"] == "completed"
    kept["TRACKIO_DIR"] = str(tmp_path / "resumed")
    where = {"PYTHONPATH": os.pathsep.join([*sys.path, str(REPOSITORY), str(REPOSITORY / "tests")])}
    done = subprocess.run(
        [sys.executable, "-c", RESUMED], cwd=tmp_path, env={**os.environ, **kept, **where}, check=True
    )
    ((name, points),) = read_trackio(tmp_path / "resumed" / "sweeper.db").items()
    assert [(step, point["test_accuracy"]) for step, point in points[:-1]] == [(20, 0.25), (40, 0.5), (60, 0.75)]
    assert name.startswith("digits-cnn/sgd-seed1-") and points[-1][1]["status"] == "completed"


@pytest.mark.tracker
@pytest.mark.slow
def test_what_trackio_cannot_store_is_one_line(tmp_path):
    pytest.importorskip("trackio")
    (tmp_path / "file").touch()
    done = run_module("train", "tracking=trackio", *TINY, cwd=tmp_path, TRACKIO_DIR=str(tmp_path / "file" / "kept"))
    assert done.returncode == 0 and "completed" in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "rackio" in line]
    assert re.search(r"tracking=trackio: .*Not a directory: .*/file/kept'; the run goes on$", line), line


def read_trackio(file) -> dict[str, list]:
    """By its name each run's points, as (step, metrics); nothing of the machine's load is stored."""
    runs: dict[str, list] = {}
    with contextlib.closing(sqlite3.connect(file)) as database:
        for name, step, metrics in database.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id"):
            runs.setdefault(name, []).append((step, json.loads(metrics)))
        assert list(database.execute("SELECT * FROM system_metrics")) == []
        assert {name for (name,) in database.execute("SELECT run_name FROM configs")} == set(runs)
    return runs
