"""A launcher is found by its Hydra class: one of the table, one that brings its own object, and one that is missing."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
import yaml
from conftest import REPOSITORY, TINY, run_module

from sweeper.config.grid import compose_grid
from sweeper.system.errors import BadInput, install
from sweeper.train.launchers import registry
from sweeper.train.launchers.registry import LAUNCHERS, check_installed, find_launcher

RUNS = ("-m", *TINY, "model=mlp", "epochs=1", "seed=1,2", "hydra/launcher=mine")

# A launcher of the user's: Hydra's class, and the object by which a sweep knows it.
MINE = """
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from sweeper.system.errors import BadInput
from sweeper.train.launchers.interface import Launcher

class Mine(Launcher):
    def check(self, options):
        if options["pools"] < 1:
            raise BadInput(f"hydra.launcher.pools={options['pools']}: must be at least 1")

    def prepare(self, options):
        print("preparing", options["pools"])

    def threads(self, options):
        return 1

class MineLauncher(BasicLauncher):
    interface = Mine()

    def __init__(self, pools):
        super().__init__()

    def launch(self, job_overrides, initial_job_idx):
        print("launching", len(job_overrides))
        return super().launch(job_overrides, initial_job_idx)

class Silent(BasicLauncher):
    pass
"""


@pytest.fixture
def mine(tmp_path):
    """One file and one YAML, beside which a command starts: `mine(*arguments, target=…)`."""
    (tmp_path / "plugins" / "hydra_plugins").mkdir(parents=True)
    (tmp_path / "plugins" / "hydra_plugins" / "my_launcher.py").write_text(MINE)
    (tmp_path / "conf" / "hydra" / "launcher").mkdir(parents=True)

    def run(*arguments, module="train", **options):
        text = yaml.safe_dump({"_target_": "hydra_plugins.my_launcher.MineLauncher", **options})
        (tmp_path / "conf" / "hydra" / "launcher" / "mine.yaml").write_text(text)
        words = ("--config-dir", "conf", *RUNS, *arguments)
        return run_module(module, *words, cwd=tmp_path, PYTHONPATH=str(tmp_path / "plugins"))

    return run


def test_each_yaml_has_its_object():
    """Of conf/ and of Hydra itself; what a missing package brings is in the table all the same."""
    for file in (REPOSITORY / "conf" / "hydra" / "launcher").glob("*.yaml"):
        options = yaml.safe_load(file.read_text(encoding="utf-8"))
        if "_target_" in options:
            assert find_launcher(options).name == file.stem
    for choice, name in (("local", "local"), ("joblib", "local"), ("basic", "basic"), ("packed", "packed")):
        grid = compose_grid(["-m", "dataset=digits", f"hydra/launcher={choice}"])
        assert find_launcher(grid.launcher_options).name == name
    assert len({launcher.name for launcher in LAUNCHERS.values()}) == len(LAUNCHERS)


@pytest.mark.slow
def test_one_of_the_users_is_used_with_what_it_says_of_itself(mine, tmp_path):
    done = mine(pools=2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("preparing 2") < done.stdout.index("launching 2")
    found = [json.loads(path.read_text()) for path in tmp_path.glob("outputs/*/*/run.json")]
    assert [(run["status"], run["environment"]["threads"]) for run in found] == [("completed", 1)] * 2


@pytest.mark.parametrize("module", ["train", "plan"])
def test_its_check_comes_before_anything_is_written(mine, tmp_path, module):
    done = mine(module=module, pools=0)
    assert (done.returncode, done.stderr) == (2, "error: hydra.launcher.pools=0: must be at least 1\n")
    assert not (tmp_path / "outputs").exists()


def test_one_that_is_not_there_is_refused_in_a_line(mine, tmp_path):
    done = mine(_target_="hydra_plugins.my_launcher.Yours")
    assert done.returncode == 2
    assert done.stderr == (
        "error: hydra.launcher._target_=hydra_plugins.my_launcher.Yours: there is no such launcher; "
        "Hydra finds launchers in modules of a folder hydra_plugins on PYTHONPATH\n"
    )
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("launcher", LAUNCHERS.values(), ids=lambda launcher: launcher.name)
def test_one_whose_package_hydra_can_not_import_is_refused_with_how_to_install_it(launcher, monkeypatch):
    """A package may be there and broken, as Ray without what it needs: Hydra then leaves its class out."""
    options = {"_target_": launcher.target}
    monkeypatch.setattr(registry, "_hydra_classes", lambda: {launcher.target: object})
    check_installed(options)
    monkeypatch.setattr(registry, "_hydra_classes", dict)
    with pytest.raises(BadInput) as refused:
        check_installed(options)
    line = f"hydra/launcher={launcher.name}: Hydra can't import its package; "
    extra = {"slurm": "slurm", "slurm_local": "slurm", "ray": "ray"}.get(launcher.name)
    assert str(refused.value) == line + (install(extra) if extra else launcher.install)
    assert "pip install" in str(refused.value) or launcher.name in ("basic", "packed")  # Hydra's, and our own


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is there, and works")
def test_a_broken_package_is_refused_before_any_training(call, tmp_path, monkeypatch):
    """Both packages are there, and Ray's module fails when it is imported."""
    find_spec = importlib.util.find_spec
    ray = {"ray", "hydra_plugins.hydra_ray_launcher"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in ray else find_spec(name))
    monkeypatch.setattr("sweeper.train.launchers.registry.Ray.prepare", lambda self, options: None)
    code, _, err = call(*RUNS[:-1], "hydra/launcher=ray")
    line = f"error: hydra/launcher=ray: Hydra can't import its package; {install('ray')}"
    assert (code, err.splitlines()[-1]) == (2, line) and not list(tmp_path.glob("outputs/*"))


def test_one_that_says_nothing_trains_one_run_after_the_other(tmp_path):
    (tmp_path / "hydra_plugins").mkdir()
    (tmp_path / "hydra_plugins" / "my_launcher.py").write_text(MINE)
    code = """
from sweeper.train.launchers.registry import Unlisted, find_launcher
options = {"_target_": "hydra_plugins.my_launcher.Silent"}
found = find_launcher(options)
found.check(options)
assert isinstance(found, Unlisted) and found.at_a_time(options) == 1
"""
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", str(REPOSITORY))])
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, check=True)
