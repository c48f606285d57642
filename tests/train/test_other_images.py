"""Finished runs answer no command whose `dataset.root` names other images than theirs."""

import shutil

import numpy as np
import pytest
from made_runs import change_record, make_field
from PIL import Image

from sweeper.config.grid import compose_grid
from sweeper.datasets.here import ImagesHere

HERE = "d" * 8  # the hash of the runs of `make_field`
TASK = ("dataset=folder", "dataset.image_size=8", "model=mlp", "optimizer=sgd", "epochs=1", "device=cpu")
PETS, ZEBRA = (*TASK, "dataset.root=pets"), (*TASK, "dataset.root=zebra")


@pytest.fixture
def hashed(monkeypatch):
    """The roots whose images are hashed, which are other images than the runs'."""
    roots = []

    def read(self, config):
        roots.append(config["dataset"]["root"])
        return "e" * 8

    monkeypatch.setattr(ImagesHere, "hash", read)
    return roots


def make_tree(root, dark=0):
    for split in ("train", "test"):
        for k, name in enumerate(("a", "b")):
            (root / split / name).mkdir(parents=True)
            pixels = np.full((8, 8, 3), dark + 100 * k + 10 * (split == "test"), np.uint8)
            Image.fromarray(pixels).save(root / split / name / "0.png")


def test_another_folder_of_images_is_refused_in_a_line(tmp_path, monkeypatch, refusal):
    monkeypatch.chdir(tmp_path)
    make_tree(tmp_path / "pets")
    make_tree(tmp_path / "zebra", dark=50)
    (pets,) = compose_grid([*PETS]).cells
    of_pets = ImagesHere().hash(pets.config)
    first, *_ = make_field(tmp_path / "outputs", *PETS, "seed=1,2", data=of_pets * 8)
    run = first.relative_to(tmp_path)
    told = refusal("-m", *ZEBRA, "seed=1,2")
    assert told.startswith("dataset.root=zebra: other images (hash ") and told.endswith(
        f") than {run} was trained on (hash {of_pets}); outputs=NAME keeps their runs apart, rerun=true trains these "
        "anew"
    )


@pytest.mark.parametrize(
    "words", [("seed=1",), ("-m", "seed=1,2"), ("-m", "seed=1,2,3"), ("-m", "optimizer=sgd,lion", "seed=1")]
)
def test_single_runs_and_sweeps_with_new_runs_are_refused_too(tmp_path, hashed, refusal, words):
    make_field(tmp_path / "outputs", *PETS, "seed=1,2")
    assert refusal(*ZEBRA, *words).startswith("dataset.root=zebra: other images (hash eeeeeeee) than outputs/folder")
    assert refusal(*TASK, "dataset.root=null", *words).startswith("dataset.root=null: other images (hash eeeeeeee)")


def test_a_search_does_not_go_on_with_other_images(tmp_path, hashed, refusal):
    pytest.importorskip("optuna")
    options = ("dataset.validation_fraction=0.5",)
    make_field(tmp_path / "outputs", *PETS, *options, "seed=1")
    words = ("-m", *ZEBRA, *options, "hydra/sweeper=optuna", "hydra.sweeper.trials=2", "lr_factor=interval(0.1,1)")
    assert refusal(*words).startswith("dataset.root=zebra: other images")


def test_the_same_images_elsewhere_and_unreadable_ones_are_answered(tmp_path, call, monkeypatch):
    make_field(tmp_path / "outputs", *PETS, "seed=1")
    for found in (HERE, ""):
        monkeypatch.setattr(ImagesHere, "hash", lambda self, config, found=found: found)
        code, out, _ = call(*ZEBRA, "seed=1")
        assert code == 0 and "completed already" in out and "it was made with dataset.root=" in out


def test_nothing_is_hashed_where_the_root_is_the_same_or_unknown(tmp_path, call, hashed):
    _, second = make_field(tmp_path / "outputs", *PETS, "seed=1,2")
    assert call(*PETS, "seed=1")[0] == call(*PETS, f"dataset.root={tmp_path / 'pets'}", "seed=1")[0] == 0
    shutil.copytree(tmp_path / "outputs", tmp_path / "other")  # moved beside the images it is the same root
    assert call(*PETS, "outputs=other", "seed=1")[0] == 0
    change_record(second, environment__data_digest=None)
    assert call(*ZEBRA, "seed=2")[0] == 0
    assert hashed == []
