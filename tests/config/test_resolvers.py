"""The computed values in conf/: where Hydra writes of a run, and how many go at a time."""

import pytest
from hydra import compose
from hydra.core.global_hydra import GlobalHydra

from sweeper.config.grid import CONF, compose_grid
from sweeper.config.hydra_versions import compose_from
from sweeper.runs.directory import RunDirectory
from sweeper.system import machine

WORDS = ("dataset=digits", "optimizer=lion")


@pytest.fixture
def hydra():
    """`hydra(*overrides)`: Hydra's own node of what they compose."""
    GlobalHydra.instance().clear()
    with compose_from(str(CONF)):
        yield lambda *overrides: compose("config", overrides=[*WORDS, *overrides], return_hydra_config=True).hydra


def test_hydra_writes_into_the_directory_that_the_run_is_named_by(hydra):
    (cell,) = compose_grid([*WORDS, "seed=3"]).cells
    with compose_from(str(CONF)):
        node = hydra("seed=3")
    assert node.run.dir == str(cell.directory) == f"{node.sweep.dir}/{node.sweep.subdir}"


@pytest.mark.parametrize(
    ("status", "words", "folder"),
    [
        ("failed", (), ".hydra"),
        ("completed", (), None),
        ("diverged", (), None),
        ("completed", ("rerun=true",), ".hydra"),
    ],
)
def test_hydras_record_of_a_finished_run_stays_as_it_was(tmp_path, monkeypatch, status, words, folder):
    monkeypatch.chdir(tmp_path)
    (cell,) = compose_grid([*WORDS, *words]).cells
    with compose_from(str(CONF)):
        node = compose("config", overrides=[*WORDS, *words], return_hydra_config=True).hydra
        RunDirectory(cell.directory).write_run(status, cell.config, {}, {})
        assert node.output_subdir == folder


def test_so_many_runs_go_at_a_time_as_their_threads_leave_cores_for(hydra, monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    jobs = [hydra("device=cpu", f"device.threads={n}", "hydra/launcher=local").launcher.n_jobs for n in (1, 3, 16)]
    assert jobs == [8, 2, 1]
    monkeypatch.setattr(machine, "probe_kind", lambda: "cuda")
    assert hydra("device=auto", "hydra/launcher=local").launcher.n_jobs == 1
