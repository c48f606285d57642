"""A search is carried out until its confirmed choice lies inside, by commands that train only what is missing."""

import json
from pathlib import Path

import pytest

from sweeper.datasets.here import ImagesHere
from sweeper.system.errors import BadInput
from sweeper.tune.search import carry_out_search, tuning_folder
from tests.tune.conftest import TASK, best_at

SGD = ("-m", "experiment=tune", *TASK, "optimizer=sgd", "outputs=search")


def seeds(words):
    return [word for word in words if word.startswith("seed=")]


def values(seed="*"):
    records = Path("search").glob(f"*/*-seed{seed}-*/run.json")
    return sorted({json.loads(path.read_text())["config"]["optimizer"]["lr"] for path in records})


def test_the_grid_and_its_best_again_and_then_nothing(trainer, capsys):
    assert carry_out_search(SGD, ["device=cpu"]) == 0
    assert [bool(seeds(words)) for words in trainer.asked] == [False, True]
    assert "seed=102,103" in trainer.asked[1] and len(list(Path("search").rglob("run.json"))) == 3 + 4
    capsys.readouterr()
    page = Path("search/report.html")  # a command that is killed while it makes tables leaves none
    assert not page.exists()
    assert carry_out_search(SGD, ["device=cpu"]) == 0 and len(trainer.asked) == 2 and page.exists()
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "search: 3 runs, all done already, in search/"
    assert told[-1] == "confirmation: 2 settings with seeds 102 and 103, 4 of 4 runs done already"


def test_a_confirmed_choice_on_the_edge_extends_the_grid(trainer):
    """The fresh seeds prefer what lies on the edge, whatever the search's own said."""
    usual, high = best_at(1.1), best_at(3.5)
    trainer.score = lambda config: (usual if config["seed"] == 101 else high)(config)
    assert carry_out_search(SGD, []) == 0
    assert [bool(seeds(words)) for words in trainer.asked] == [False, True, False]
    assert values(101) == [0.03162, 0.1, 0.3162, 1.0]


def test_a_grid_that_is_confirmed_once_is_extended_no_more(trainer):
    usual, high = best_at(1.1), best_at(3.5)
    trainer.score = lambda config: (usual if config["seed"] == 101 else high)(config)
    for _ in range(2):
        assert carry_out_search(SGD, [], once=True) == 0
    assert len(trainer.asked) == 2 and values() == [0.03162, 0.1, 0.3162]


@pytest.mark.parametrize("stopped_after", [None, 0, 3, 5])
def test_a_confirmation_that_was_stopped_extends_no_grid_until_it_is_whole(trainer, stopped_after):
    """Of the three that are run again the best lies inside. Of the first two that are done it is that on the edge."""
    usual, confirmed = best_at(12.0), {1.0: 0.5, 3.0: 0.6, 0.3: 0.7}
    trainer.score = lambda config: usual(config) if config["seed"] == 101 else confirmed[config["optimizer"]["lr"]]
    search = [*SGD, "lr_factor=0.1,0.3,1,3,10,30"]
    if stopped_after is not None:
        trainer.codes, trainer.begun = {2: 130}, stopped_after
        assert carry_out_search(search, [], most=3) == 130
        assert len([*values(102), *values(103)]) == stopped_after
    assert carry_out_search(search, [], most=3) == 0
    assert values(101) == [0.01, 0.03, 0.1, 0.3, 1.0, 3.0] and values(102) == values(103) == [0.3, 1.0, 3.0]


def test_a_setting_that_diverged_in_the_confirmation_stays_one_of_those_that_were_run_again(trainer):
    usual = best_at(1.0)
    trainer.score = lambda config: None if config["seed"] == 102 and config["optimizer"]["lr"] == 0.1 else usual(config)
    for _ in range(2):
        assert carry_out_search([*SGD, "lr_factor=0.01,0.1,1,10"], []) == 0
    assert len(trainer.asked) == 2 and len(values(102)) == 2


def test_where_extensions_end_is_told(trainer, capsys):
    trainer.score = best_at(1000.0)
    for _ in range(2):
        assert carry_out_search([*SGD, "hydra.sweeper.extensions=1"], []) == 0
    assert values(101) == [0.03162, 0.1, 0.3162, 1.0]
    line = "sgd: after 1 extension still best on the edge, lr ×10; hydra.sweeper.extensions=2 goes on"
    assert capsys.readouterr().err.count(line) == 1, "the first time sweeper.train told it"


@pytest.mark.parametrize(("call", "code"), [(1, 130), (1, 1), (2, 2), (2, 143)])
def test_what_stops_a_command_stops_the_search_and_the_same_goes_on(trainer, call, code):
    trainer.codes = {call: code}
    assert carry_out_search(SGD, []) == code and len(trainer.asked) == call
    assert carry_out_search(SGD, []) == 0
    assert len(list(Path("search").rglob("run.json"))) == 3 + 4


def test_a_command_that_trains_nothing_is_not_repeated_for_ever(trainer, monkeypatch):
    carry_out_search(SGD, [])
    left = {Path("search/a")}
    monkeypatch.setattr("sweeper.tune.search.unfinished", lambda grid: left)
    assert carry_out_search(SGD, []) == 0


def test_a_search_goes_on_with_its_own_images_alone(trainer):
    trainer.codes = {2: 130}
    assert carry_out_search(SGD, []) == 130
    trainer.images = "e" * 64
    for words in ([*SGD, "lr_factor=0.1,1,10"], SGD):
        with pytest.raises(BadInput, match=r"the images here are others \(hash e{8}\) than the search's \(hash d{8}\)"):
            carry_out_search(words, [])
    assert len(trainer.asked) == 2


def test_a_tuning_for_a_field_is_of_its_images_in_every_step(trainer):
    with pytest.raises(BadInput, match=r"the images here are others \(hash d{8}\) than the field's \(hash e{8}\)"):
        carry_out_search(SGD, [], here=ImagesHere("e" * 8))
    assert not trainer.asked
    trainer.codes = {2: 130}
    assert carry_out_search(SGD, [], here=ImagesHere("d" * 8)) == 130
    trainer.images = "e" * 64
    with pytest.raises(
        BadInput, match=r"^search: it was trained on other images \(hash d{8}\) than the field \(hash e"
    ):
        carry_out_search(SGD, [], here=ImagesHere("e" * 8))
    assert len(trainer.asked) == 2


def test_another_optimizers_search_in_the_folder_is_left_alone(trainer):
    both = [word if word != "optimizer=sgd" else "optimizer=sgd,lion" for word in SGD]
    trainer.codes = {2: 130}
    assert carry_out_search(both, []) == 130
    assert carry_out_search(SGD, [], optimizers=["sgd"]) == 0
    assert not list(Path("search").glob("*/lion-seed102-*")) and list(Path("search").glob("*/sgd-seed102-*"))


def test_a_tuning_lies_beside_the_outputs():
    assert tuning_folder(Path("outputs"), "x") == Path("outputs-tuning/x")
    assert tuning_folder(Path("a/b/"), "x") == Path("a/b-tuning/x")
    assert tuning_folder(Path("/there"), "x") == Path("/there-tuning/x")
