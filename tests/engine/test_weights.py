"""A run's trained model comes back from its directory; what can't ends in a line with the file's name."""

import json
import shutil

import pytest
import torch
from conftest import REPOSITORY

import sweeper
from sweeper.runs.layout import RUN_FILE, WEIGHTS_FILE
from sweeper.system.errors import BadInput

GOLDEN = REPOSITORY / "tests" / "golden" / "outputs" / "digits-mlp"


@pytest.fixture
def directory(tmp_path):
    """A run of an earlier version, whole."""
    (source,) = GOLDEN.glob("sgd-seed1-*0de7a3")
    return shutil.copytree(source, tmp_path / "run")


def test_the_model_is_the_one_that_was_trained(directory):
    from safetensors.torch import load_file

    model = sweeper.load_model(directory)
    weights = load_file(directory / WEIGHTS_FILE)
    assert model.state_dict().keys() == weights.keys() and not model.training
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_a_run_without_weights_says_why(directory):
    (directory / WEIGHTS_FILE).unlink()
    with pytest.raises(BadInput, match=rf"{WEIGHTS_FILE}: no weights; the run is completed, or .* save_model=false$"):
        sweeper.load_model(str(directory))


def test_weights_of_another_model_are_refused(directory):
    run = json.loads((directory / RUN_FILE).read_text())
    run["config"]["model"]["width"] += 1
    (directory / RUN_FILE).write_text(json.dumps(run))
    with pytest.raises(BadInput, match=rf"{WEIGHTS_FILE}: not this model's weights \(.*\)$") as caught:
        sweeper.load_model(directory)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("{")])
def test_a_directory_without_a_readable_record_is_refused(directory, damage):
    damage(directory / RUN_FILE)
    with pytest.raises(BadInput, match=RUN_FILE) as caught:
        sweeper.load_model(directory)
    assert "\n" not in str(caught.value)
