"""A preset keeps that its values were chosen by validation images, and a run knows it while it has these values."""

import pytest
import yaml

from sweeper.config.grid import compose_grid
from sweeper.config.tuned import recipe_hash, tuned_words
from sweeper.runs.identity import run_name
from sweeper.system.errors import BadInput

TASK = ["dataset=digits", "model=mlp"]
FACT = {"chosen_by": "validation", "epochs": 7, "dataset": "digits", "model": "mlp", "values": {"lr": 0.4}}


def config(*words, folder=None, fact=FACT):
    if folder is not None:
        if fact is FACT:
            searched = [*TASK, "epochs=7", "seed=101", "dataset.validation_fraction=0.1", "optimizer.lr=0.1"]
            fact = FACT | {"recipe": recipe_hash(config(*searched))}
        (folder / "settings" / "mine").mkdir(parents=True)
        (folder / "settings" / "mine" / "sgd.yaml").write_text(yaml.safe_dump({"lr": 0.4, "tuned": fact}))
        words = ("--config-dir", str(folder), "settings@optimizer=mine/sgd", *words)
    (cell,) = compose_grid(["optimizer=sgd", *words]).cells
    return cell.config


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (TASK, "7 epochs"),
        ([*TASK, "epochs=9", "seed=3", "optimizer.momentum=0.8", "tag=x", "device.precision=fp32"], "7 epochs"),
        ([*TASK, "noise=symmetric", "noise.rate=0.4"], "7 epochs on another recipe"),
        ([*TASK, "schedule=constant"], "7 epochs on another recipe"),
        ([*TASK, "batch_size=512"], "7 epochs on another recipe"),
        ([*TASK, "dataset.train_limit=100"], "7 epochs on another recipe"),
        (["dataset=digits", "model=cnn"], "7 epochs on digits, mlp"),
        (["dataset=digits", "model=mlp", "optimizer.lr=0.5"], None),
        (["dataset=digits", "model=mlp", "lr_factor=2"], None),
        (["dataset=digits", "model=mlp", "dataset.validation_fraction=0.1"], None),
    ],
)
def test_where_a_run_was_tuned(tmp_path, words, told):
    assert config(*words, folder=tmp_path).get("tuned") == told


def test_it_is_no_part_of_the_identity_nor_of_the_optimizer(tmp_path):
    tuned = config("dataset=digits", "model=mlp", folder=tmp_path)
    typed = config("dataset=digits", "model=mlp", "optimizer.lr=0.4")
    assert tuned["optimizer"] == typed["optimizer"] and run_name(tuned) == run_name(typed) and "tuned" not in typed


def test_a_run_keeps_on_which_images_its_setting_was_tuned(tmp_path):
    """Where all else is alike; which its own are is known when they are read."""
    fact = FACT | {"recipe": recipe_hash(config(*TASK)), "images": "01234567"}
    assert config(*TASK, folder=tmp_path, fact=fact)["tuned"] == "7 epochs on images 01234567"
    other = tmp_path / "other"
    assert config(*TASK, "batch_size=7", folder=other, fact=fact)["tuned"] == "7 epochs on another recipe"


@pytest.mark.parametrize(
    "fact", [7, {"epochs": 7}, {"epochs": "7", "values": {}}, {"epochs": 7, "values": {}, "images": "../.."}]
)
def test_a_fact_of_another_form_is_refused_in_a_line(tmp_path, fact):
    with pytest.raises(BadInput, match=r"optimizer\.tuned=.*: must be as sweeper.choose writes it"):
        config("dataset=digits", folder=tmp_path, fact=fact)


def test_without_a_fact_nothing_is_tuned():
    assert tuned_words(None, {}) is None
