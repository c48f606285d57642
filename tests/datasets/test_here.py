"""The hash of the images that are here, without training, and whether a search's runs go on with the same."""

import os
import signal
from concurrent.futures import Future
from contextlib import nullcontext

import pytest
from made_runs import change_record, make_field

from sweeper.config.grid import compose_grid
from sweeper.datasets.data import load_run_data
from sweeper.datasets.here import ImagesHere, data_key, finished
from sweeper.system.errors import BadInput

TASK = ("dataset=digits", "model=mlp", "optimizer=sgd", "epochs=1", "device=cpu")


class Here:
    """Works in this process."""

    def submit(self, work, *given):
        done = Future()
        try:
            done.set_result(work(*given))
        except BadInput as error:
            done.set_exception(error)
        return done


def kill_me(config):
    os.kill(os.getpid(), signal.SIGKILL)


def cells(folder, seeds="1,2"):
    return compose_grid(["-m", *TASK, f"seed={seeds}", f"outputs={folder}"]).cells


def test_the_hash_is_what_training_records_and_is_read_once(monkeypatch):
    (cell,) = compose_grid([*TASK, "dataset.train_limit=100"]).cells
    here = ImagesHere()
    assert here.hash(cell.config) == load_run_data(cell.config).digest[:8]
    monkeypatch.setattr("sweeper.datasets.here.own_process", lambda *_: pytest.fail("read again"))
    (other,) = compose_grid([*TASK, "dataset.validation_fraction=0.1"]).cells
    assert data_key(other.config) == data_key(cell.config) and here.hash(other.config) == here.hash(cell.config)


def test_images_that_are_not_here_have_no_hash(tmp_path):
    (cell,) = compose_grid([*TASK[1:], "dataset=folder", f"dataset.root={tmp_path}", "dataset.image_size=8"]).cells
    assert ImagesHere().hash(cell.config) == ""


def test_a_check_downloads_nothing(tmp_path, monkeypatch):
    """Training does, and says so."""
    monkeypatch.chdir(tmp_path)
    (cell,) = compose_grid([*TASK[1:], "dataset=mnist"]).cells
    monkeypatch.setattr("sweeper.datasets.here.own_process", lambda *_: nullcontext(Here()))
    monkeypatch.setattr("sweeper.datasets.loaders._download", lambda *_: pytest.fail("downloads"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert ImagesHere().hash(cell.config) == "" and not list(tmp_path.iterdir())
    assert os.environ["HF_HUB_OFFLINE"] == "1", "the Hub's library reads what it has"


def test_a_reading_process_that_is_killed_is_told_in_a_line(monkeypatch):
    (cell,) = compose_grid(TASK).cells
    monkeypatch.setattr("sweeper.datasets.here._digest", kill_me)
    with pytest.raises(BadInput) as refused:
        ImagesHere().hash(cell.config)
    assert str(refused.value) == (
        "dataset=digits: reading its images: its process was killed, perhaps because memory was used up; free some, "
        "and the same command goes on"
    )


def test_against_a_field_a_search_is_of_its_images(tmp_path, monkeypatch):
    asked, here = cells(tmp_path), ImagesHere("e" * 8)
    monkeypatch.setattr(here, "hash", lambda config: "d" * 8)
    with pytest.raises(
        BadInput, match=r"^the images here are others \(hash d{8}\) than the field's \(hash e{8}\); put"
    ):
        here.check(asked)
    with pytest.raises(
        BadInput, match=r"it was trained on other images \(hash d{8}\) than the field \(hash e{8}\); put"
    ):
        here.check(asked, known="d" * 8)
    make_field(tmp_path, *TASK, "seed=1,2")
    with pytest.raises(BadInput, match=r"sgd-seed1-\w+: was trained on other images \(hash d{8}\) than the field"):
        here.check(asked)


def test_a_search_goes_on_with_its_own_images_alone(tmp_path, monkeypatch):
    asked, here = cells(tmp_path), ImagesHere()
    monkeypatch.setattr("sweeper.datasets.here.own_process", lambda *_: pytest.fail("read"))
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
