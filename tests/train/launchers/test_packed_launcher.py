"""`hydra/launcher=packed`: a plugin as Hydra wants it, and our sweeps as every other launcher carries them out."""

import logging
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import ClassVar

import pytest
from conftest import TINY
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite

from sweeper.config.hydra_versions import WHITELIST
from sweeper.engine.pace import Turn
from sweeper.train.launchers.lanes import Host

PACKED = ("hydra/launcher=packed",)


def test_hydra_finds_the_plugin():
    names = {f"{plugin.__module__}.{plugin.__name__}" for plugin in Plugins.instance().discover(Launcher)}
    assert "hydra_plugins.sweeper_packed_launcher.PackedLauncher" in names


@pytest.mark.parametrize(("launcher_name", "overrides"), [("packed", ["hydra.job.chdir=true"])])
class TestHydrasOwnSuite(LauncherTestSuite):
    """A task that isn't ours runs in turn. The suite expects Hydra 1.1's working directory, whatever was set before."""


@pytest.mark.slow
@pytest.mark.parametrize(("task_launcher_cfg", "extra_flags"), [({}, ["-m", *PACKED])])
class TestHydrasOwnIntegration(IntegrationTestSuite):
    """The same through command lines of their own."""


# A task in steps, in this process


@pytest.fixture
def two_lanes(monkeypatch):
    """The CPU takes several runs in turn as a GPU does."""
    monkeypatch.setattr(Host, "several", True)


def in_steps(trace, fail=()):
    """A task of three steps that notes whose configuration it finds set in each."""

    def steps(cfg):
        assert HydraConfig.get().overrides.task == [f"+a={cfg.a}"]
        return advance(cfg)

    def advance(cfg):
        for k in range(3):
            trace.append((cfg.a, k, HydraConfig.get().job.num, os.environ.get("OF_THE_TASK")))
            logging.getLogger("task").warning("run %s step %s", cfg.a, k)
            yield Turn()
            if cfg.a in fail:
                raise ValueError("broken")
        return cfg.a

    return steps


def sweep(runner, steps, tmpdir, *overrides):
    sweep = runner(
        calling_file=None,
        calling_module="hydra.test_utils.a_module",
        task_function=None,
        config_path="configs",
        config_name="compose",
        overrides=[*PACKED, "hydra.launcher.lanes=2", "hydra.job.chdir=false", *overrides],
        temp_dir=tmpdir,
    )
    sweep.in_steps = steps  # the runner gives itself to Hydra as the task
    return sweep


def test_runs_in_turn_keep_their_own_configuration_environment_and_log(two_lanes, hydra_sweep_runner, tmpdir):
    trace = []
    environment = "+hydra.job.env_set.OF_THE_TASK=set"
    with sweep(hydra_sweep_runner, in_steps(trace), tmpdir, "+a=0,1,2", environment) as runner:
        jobs = runner.returns[0]
        assert [job.return_value for job in jobs] == [0, 1, 2]
        assert [job.overrides for job in jobs] == [["+a=0"], ["+a=1"], ["+a=2"]]
        order = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 0), (2, 1), (2, 2)]
        assert trace == [(a, k, a, "set") for a, k in order]
        assert "OF_THE_TASK" not in os.environ
        for a in range(3):
            lines = (Path(tmpdir) / str(a) / "a_module.log").read_text().splitlines()
            assert [line.rpartition("- ")[2] for line in lines] == [f"run {a} step {k}" for k in range(3)]
            assert (Path(tmpdir) / str(a) / ".hydra" / "overrides.yaml").read_text() == f"- +a={a}\n"


class Notes(Callback):
    """What Hydra tells of runs, with the steps that were taken by then."""

    trace: ClassVar[list] = []
    told: ClassVar[list] = []

    def on_job_start(self, config, **kwargs):
        self.told.append(("start", config.a, len(self.trace)))

    def on_job_end(self, config, job_return, **kwargs):
        self.told.append(("end", config.a, len(self.trace), job_return.return_value))


def may_be_built(name: str) -> AbstractContextManager:
    """Within it Hydra builds this class; 1.3 builds any."""
    return WHITELIST([name]) if WHITELIST is not None else nullcontext()


def test_callbacks_hear_of_a_runs_end_when_it_has_ended(two_lanes, hydra_sweep_runner, tmpdir):
    Notes.trace.clear()
    Notes.told.clear()
    notes = f"+hydra.callbacks.notes._target_={__name__}.Notes"
    with may_be_built(f"{__name__}.Notes"), sweep(hydra_sweep_runner, in_steps(Notes.trace), tmpdir, "+a=0,1", notes):
        assert Notes.told == [("start", 0, 0), ("start", 1, 1), ("end", 0, 6, 0), ("end", 1, 6, 1)]


def test_an_exception_in_one_run_leaves_the_others_alone(two_lanes, hydra_sweep_runner, tmpdir):
    trace = []
    with pytest.raises(ValueError, match="broken"), sweep(hydra_sweep_runner, in_steps(trace, [0]), tmpdir, "+a=0,1,2"):
        pass
    assert [(a, k) for a, k, *_ in trace] == [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]


def test_a_single_process_needs_no_shared_memory(two_lanes, hydra_sweep_runner, tmpdir, monkeypatch):
    """As on a machine without semaphores, or whose /dev/shm can't be written."""

    def refuse(*_, **__):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse)
    monkeypatch.setattr("multiprocessing.heap.Arena.__init__", refuse)
    with sweep(hydra_sweep_runner, in_steps([]), tmpdir, "+a=0,1,2") as runner:
        assert [job.return_value for job in runner.returns[0]] == [0, 1, 2]


# Refused before anything starts


@pytest.mark.parametrize("lanes", ["0", "-1", "two", "1.5", "true", "null"])
def test_a_number_of_lanes_that_is_none(call, lanes):
    code, _, err = call("-m", *TINY, "seed=1,2", *PACKED, f"hydra.launcher.lanes={lanes}")
    assert code == 2
    value = {"true": "True", "null": "None"}.get(lanes, lanes)
    assert err == (
        f"error: hydra.launcher.lanes={value}: must be auto, or the number of runs at a time on a GPU, from 1\n"
    )
