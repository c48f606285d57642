"""A run's configuration by our loader equals that of Hydra's own, composed anew."""

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from sweeper.config.composed_once import ComposedOnce
from sweeper.config.grid import compose_grid
from sweeper.config.hydra_versions import compose_from
from sweeper.system.files import CONF

RUNS = [
    ["dataset=digits", "optimizer=sgd", "seed=1"],
    ["dataset=digits", "optimizer=sgd", "seed=2", "optimizer.lr=0.3"],
    ["dataset=digits", "optimizer=lion", "seed=2", "optimizer.betas=[0.8,0.99]", "epochs=3"],
    ["dataset=digits", "optimizer=sgd", "seed=1"],
    ["experiment=quick", "optimizer=sgd", "seed=1", "tag=x"],
    ["dataset=digits", "+optimizer.maximize=true", "optimizer=sgd", "seed=7", "noise=symmetric", "noise.rate=0.2"],
]


@pytest.fixture
def master():
    GlobalHydra.instance().clear()
    with compose_from(str(CONF)):
        loader = GlobalHydra.instance().hydra.config_loader
        words = ["hydra/launcher=basic", "hydra/sweeper=listed", "device=cpu"]
        yield loader, loader.load_configuration("config", words, RunMode.MULTIRUN)


def test_each_run_has_the_configuration_that_hydra_composes(master):
    loader, config = master
    theirs, ours = ConfigLoaderImpl(loader.get_search_path()), ComposedOnce(loader.get_search_path())
    for words in RUNS:
        whole = [*config.hydra.overrides.hydra, *words]
        expected, found = theirs.load_configuration("config", whole, RunMode.RUN), ours.load_sweep_config(config, words)
        assert OmegaConf.to_yaml(found) == OmegaConf.to_yaml(expected)


def test_presets_whose_sweeps_are_joined_are_choices_of_their_runs(master):
    """Hydra 1.4 itself refuses them, since each names the axes of its sweep."""
    loader, config = master
    ours = ComposedOnce(loader.get_search_path())
    for name, epochs in (("quick", 10), ("milestone", 50)):
        assert ours.load_sweep_config(config, [f"experiment={name}"]).epochs == epochs


def test_what_the_command_line_has_composed_is_what_a_run_would_compose(monkeypatch):
    line = ["dataset=digits", "optimizer=sgd,lion", "seed=1,2", "hydra/launcher=packed", "device=cpu", "epochs=3"]
    jobs = compose_grid(["-m", *line]).jobs
    GlobalHydra.instance().clear()
    with compose_from(str(CONF)):
        loader = GlobalHydra.instance().hydra.config_loader
        words = [*line, "hydra/sweeper=listed", "hydra.mode=MULTIRUN"]
        config = loader.load_configuration("config", words, RunMode.MULTIRUN)
        theirs, ours = ConfigLoaderImpl(loader.get_search_path()), ComposedOnce(loader.get_search_path())
        expected = [OmegaConf.to_yaml(theirs.load_sweep_config(config, job)) for job in jobs]
        monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", None)  # nothing is composed again
        assert [OmegaConf.to_yaml(ours.load_sweep_config(config, job)) for job in jobs] == expected
    assert len(jobs) == 4


def test_a_combination_of_files_is_composed_once(master, monkeypatch):
    loader, config = master
    composed = []
    load = ConfigLoaderImpl.load_configuration
    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", lambda *a: composed.append(a[2]) or load(*a))
    ours = ComposedOnce(loader.get_search_path())
    for seed in range(20):
        assert ours.load_sweep_config(config, ["dataset=mnist", "optimizer=adam", f"seed={seed}"]).seed == seed
    assert composed == [[*config.hydra.overrides.hydra, "dataset=mnist", "optimizer=adam"]]


def test_with_seeds_outermost_too_each_combination_is_composed_once(master, monkeypatch):
    _, config = master
    composed = []
    monkeypatch.setattr(
        ConfigLoaderImpl, "load_configuration", lambda self, name, words, mode: composed.append(tuple(words)) or config
    )
    ours = ComposedOnce(GlobalHydra.instance().hydra.config_loader.get_search_path())
    for seed in (1, 2):
        for k in range(100):
            assert ours.load_sweep_config(config, [f"+experiment=made{k}", f"seed={seed}"]).seed == seed
    assert len(composed) == len(set(composed)) == 100
