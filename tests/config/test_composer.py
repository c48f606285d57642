"""The composer gives each run its own configuration, and composes each combination of files once."""

import pytest

from sweeper.config import composer as module
from sweeper.config.grid import compose_grid


@pytest.fixture
def composed(monkeypatch):
    """The overrides of each call of Hydra's `compose`."""
    calls: list[tuple[str, ...]] = []
    compose = module.compose

    def counted(name: str, overrides: list[str], **more: object) -> object:
        calls.append(tuple(overrides))
        return compose(name, overrides=overrides, **more)

    monkeypatch.setattr(module, "compose", counted)
    return calls


def test_a_long_sweep_composes_each_combination_of_files_once(composed):
    words = ["-m", "dataset=digits", "optimizer=sgd,adam", "seed=range(1,101)", "optimizer.lr=0.1,0.2"]
    assert len(compose_grid(words).cells) == 400
    assert len(composed) == len(set(composed)) <= 5


def test_a_runs_values_are_its_own():
    """Lists and nodes of one run's configuration aren't another's."""
    cells = compose_grid(["-m", "dataset=digits", "optimizer=adam", "seed=1,2", "optimizer.betas=[0.8,0.9]"]).cells
    cells[0].config["optimizer"]["betas"].append(1)
    cells[0].config["optimizer"]["lr"] = 7
    assert cells[1].config["optimizer"]["betas"] == [0.8, 0.9]
    assert cells[1].config["optimizer"]["lr"] != 7


def test_an_interpolation_is_resolved_by_each_runs_own_values():
    words = ["-m", "dataset=digits", "seed=1,2", "tag=s${seed}"]
    assert [cell.config["tag"] for cell in compose_grid(words).cells] == ["s1", "s2"]
