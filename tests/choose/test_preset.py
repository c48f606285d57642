"""A preset compares what was chosen on what it was tuned for."""

import pytest
import yaml

from sweeper.choose.command import main
from sweeper.config.grid import compose_grid
from tests.choose.test_choice import make_trial

NOISE = {"name": "symmetric", "kind": "symmetric", "rate": 0.4, "seed": 3, "own_class": False, "file": None}


def write(tmp_path, **config):
    for lr in (0.1, 0.2):
        make_trial(tmp_path / "outputs", lr, 0.5, optimizer__lr=lr, **config)
    assert main([str(tmp_path / "outputs"), "--write", str(tmp_path / "mine")]) == 0
    return tmp_path / "mine" / "experiment" / "tuned.yaml"


def compared(preset, *words):
    (config, *_) = (cell.config for cell in compose_grid(["-m", "--config-dir", str(preset.parents[1]), *words]).cells)
    return config["dataset"]["name"], config["model"]["name"], config["noise"]["kind"], config["noise"]["rate"]


def test_the_preset_alone_names_data_set_model_and_noise_and_a_word_counts_more(tmp_path, capsys):
    preset = write(tmp_path, noise=NOISE)
    assert capsys.readouterr().out.splitlines()[-1].endswith(" experiment=tuned")
    assert compared(preset, "experiment=tuned") == ("digits", "cnn", "symmetric", 0.4)
    assert yaml.safe_load(preset.read_text())["noise"] == {"rate": 0.4, "seed": 3, "own_class": False}
    assert compared(preset, "experiment=tuned", "dataset=mnist1d", "model=mlp") == ("mnist1d", "mlp", "symmetric", 0.4)
    assert compared(preset, "experiment=tuned", "noise=pair", "noise.rate=0.1") == ("digits", "cnn", "pair", 0.1)
    assert compared(preset, "experiment=tuned", "noise=none", "noise.rate=0") == ("digits", "cnn", "none", 0.0)


@pytest.mark.parametrize(
    "noise",
    [
        NOISE | {"name": "../else"},
        NOISE | {"name": "human", "kind": "human", "rate": 0.0, "file": "/home/somebody/labels.csv"},
        {"name": "none", "kind": "none", "rate": 0.0, "seed": 0, "own_class": False, "file": None},
    ],
)
def test_of_noise_only_known_names_and_numbers_are_written(tmp_path, noise):
    text = write(tmp_path, noise=noise).read_text()
    assert "noise" not in yaml.safe_load(text) and "/noise" not in text


def test_the_preset_of_an_earlier_version_is_no_other_choice(tmp_path):
    preset = write(tmp_path)
    new = preset.read_text()
    preset.write_text("".join(line for line in new.splitlines(True) if "override /dataset" not in line))
    assert write(tmp_path).read_text() == new
