"""What is asked of Ray before a sweep, with a stand-in of it; a real cluster is in tests/clusters/."""

import sys
import types

import pytest

from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput, RunFailed
from sweeper.train.launchers import ray
from sweeper.train.launchers.ray import Ray
from sweeper.train.launchers.registry import find_launcher

RAY = Ray()


def options(address=None, **remote):
    return {"ray": {"init": {"address": address}, "remote": remote}}


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of a node with four cores and another with two GPUs; `calls` tells what was asked of it."""
    calls = []
    nodes = [
        {"Alive": True, "Resources": {"CPU": 4.0}},
        {"Alive": True, "Resources": {"CPU": 2.0, "GPU": 2.0}},
        {"Alive": False, "Resources": {"CPU": 64.0}},
    ]
    stand_in = types.SimpleNamespace(
        is_initialized=lambda: False,
        init=lambda **given: calls.append(given),
        nodes=lambda: nodes,
        shutdown=lambda: calls.append("shutdown"),
    )
    monkeypatch.setattr(ray, "is_installed", lambda name: True)
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    return calls


@pytest.mark.parametrize(("num_cpus", "threads"), [(3, 3), (0.5, 1), (None, 1)])
def test_a_run_has_as_many_threads_as_ray_keeps_free_for_it(num_cpus, threads):
    assert RAY.threads(options(num_cpus=num_cpus)) == threads
    assert RAY.elsewhere and RAY.at_a_time(options(num_cpus=num_cpus)) == 1


def test_threads_asked_for_are_what_ray_is_asked_to_keep_free():
    words = ["-m", "dataset=digits", "device=cpu", "hydra/launcher=ray"]
    for asked, free in (("device.threads=4", 4), ("device.threads=null", 1)):
        given = compose_grid([*words, asked]).launcher_options
        assert given["ray"]["remote"]["num_cpus"] == free
    assert isinstance(find_launcher(given), Ray)


def test_without_its_package_it_is_refused_in_a_line(monkeypatch):
    monkeypatch.setattr(ray, "is_installed", lambda name: False)
    with pytest.raises(BadInput, match=r"^hydra/launcher=ray: Ray or Hydra's launcher for it is missing; pip install "):
        RAY.prepare(options())


def test_what_a_node_has_is_taken_and_workers_know_the_folder(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RAY.prepare(options(num_cpus=4, num_gpus=0.25))
    (asked,) = cluster
    assert asked["runtime_env"]["env_vars"][ray.FOLDER] == str(tmp_path)
    monkeypatch.setenv(ray.FOLDER, str(tmp_path / "elsewhere"))
    with pytest.raises(RunFailed, match="this node doesn't see the folder"):
        ray.enter_folder()


@pytest.mark.parametrize(
    ("remote", "line"),
    [
        ({"num_cpus": 5}, "num_cpus=5: no node of the cluster has so many; the most is 4"),
        ({"num_gpus": 3}, "num_gpus=3: no node of the cluster has so many; the most is 2"),
    ],
)
def test_what_no_living_node_has_is_refused(cluster, remote, line):
    with pytest.raises(BadInput, match=line):
        RAY.prepare(options(**remote))
    assert cluster[-1] == "shutdown"


def test_an_address_where_nobody_listens_is_refused(cluster):
    with pytest.raises(BadInput, match=r"^hydra.launcher.ray.init.address=127.0.0.1:1: no Ray cluster answers"):
        RAY.prepare(options("127.0.0.1:1"))
    assert cluster == []


def test_ray_that_does_not_start_here_is_no_cluster_that_does_not_answer(cluster):
    def init(**given):
        raise RuntimeError("Failed to start\nits log says why")

    sys.modules["ray"].init = init
    with pytest.raises(BadInput, match=r"^hydra.launcher.ray.init: Ray doesn't start on this machine \(Failed to"):
        RAY.prepare(options())
