"""The hash of the images that are here, without training, and whether a search's runs go on with the same."""

import pytest
from made_runs import change_record, make_field

from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.datasets.here import ImagesHere, data_key, finished
from sweeper.system.errors import BadInput

TASK = ("dataset=digits", "model=mlp", "optimizer=sgd", "epochs=1", "device=cpu")


def cells(folder, seeds="1,2"):
    return compose_grid(["-m", *TASK, f"seed={seeds}", f"outputs={folder}"]).cells


def test_the_hash_is_what_training_records_and_is_read_once(monkeypatch):
    (cell,) = compose_grid([*TASK, "dataset.train_limit=100"]).cells
    here = ImagesHere()
    assert here.hash(cell.config) == load_run_data(cell.config).digest[:8]
    monkeypatch.setattr("sweeper.datasets.here.own_process", lambda: pytest.fail("read again"))
    (other,) = compose_grid([*TASK, "dataset.validation_fraction=0.1"]).cells
    assert data_key(other.config) == data_key(cell.config) and here.hash(other.config) == here.hash(cell.config)


def test_images_that_are_not_here_have_no_hash(tmp_path):
    (cell,) = compose_grid([*TASK[1:], "dataset=folder", f"dataset.root={tmp_path}", "dataset.image_size=8"]).cells
    assert ImagesHere().hash(cell.config) == ""


def test_a_search_goes_on_with_its_own_images_alone(tmp_path, monkeypatch):
    asked, here = cells(tmp_path), ImagesHere()
    monkeypatch.setattr("sweeper.datasets.here.own_process", lambda: pytest.fail("read"))
    here.check(asked)  # nothing is trained yet
    (first,) = make_field(tmp_path, *TASK, "seed=1")
    here.learn(asked)
    here.check(asked)
    with pytest.raises(BadInput, match=r"hash e{8}\); put the search's back, or begin anew"):
        here.check(asked, known="e" * 8)
    change_record(first, environment__data_digest="e" * 64)
    with pytest.raises(BadInput) as refused:
        here.check(asked)
    told = "the images here are others (hash dddddddd) than the search's (hash eeeeeeee); put the search's back, or "
    assert str(refused.value) == told + "begin anew in another folder: outputs=DIR"
    make_field(tmp_path, *TASK, "seed=2")
    with pytest.raises(BadInput, match=r"was trained on other images \(hash d{8}\) than the search \(hash e{8}\); put"):
        here.check(asked)


def test_runs_with_a_result_alone_count(tmp_path):
    first, second = make_field(tmp_path, *TASK, "seed=1,2")
    assert [cell.config["seed"] for cell, _ in finished(cells(tmp_path))] == [1, 2]
    change_record(second, status="failed")
    change_record(first, status="running")
    assert not finished(cells(tmp_path, "1,2,3"))
