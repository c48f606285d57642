"""Trackio gets each point once; where it isn't installed, a stand-in has the part of its interface that is used."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from sweeper.system.errors import BadInput
from sweeper.train.trackers.tracking import check_tracking
from tests.train.trackers.test_tracking import ROWS, track

OPTIONS = {"_target_": "sweeper.train.trackers.trackio.Trackio", "project": "sweeper", "space_id": None}


@pytest.fixture
def stored(monkeypatch):
    """A stand-in for trackio: its runs by name, each a list of (step, metrics). `init` takes what trackio's takes."""
    runs: dict[str, list] = {}
    settings: dict[str, dict] = {}
    trackio = ModuleType("trackio")

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
    return SimpleNamespace(runs=runs, settings=settings)


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


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(
        BadInput, match=r"tracking=trackio: needs trackio.*; pip install 'optimizer-sweeper\[trackio\]'"
    ):
        check_tracking({"name": "trackio", **OPTIONS})


def test_a_project_is_a_name(stored):
    with pytest.raises(BadInput, match=r"tracking.project=a/b: must be a name without /"):
        check_tracking({"name": "trackio", **OPTIONS, "project": "a/b"})
