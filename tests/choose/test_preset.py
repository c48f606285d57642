"""A preset compares what was chosen on what it was tuned for."""

import pytest
import yaml

from sweeper.choose.command import main
from sweeper.config.grid import compose_grid
from tests.choose.test_choice import HELD_OUT, make_trial

NOISE = {"name": "symmetric", "kind": "symmetric", "rate": 0.4, "seed": 3, "own_class": False, "file": None}


def write(tmp_path, *words, **config):
    for lr in (0.1, 0.2):
        make_trial(tmp_path / "outputs", lr, 0.5, optimizer__lr=lr, **config)
    assert main([str(tmp_path / "outputs"), "--write", str(tmp_path / "mine"), *words]) == 0
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


NONE = {"name": "none", "kind": "none", "rate": 0.0, "seed": 0, "own_class": False, "file": None}
HUMAN = NONE | {"name": "human", "kind": "human", "file": "/home/somebody/labels.csv"}


@pytest.mark.parametrize(
    "noise", [NOISE | {"name": "../else"}, NOISE | {"kind": "pair"}, HUMAN | {"name": "else"}, NONE]
)
def test_of_noise_only_known_names_and_numbers_are_written(tmp_path, capsys, noise):
    text = write(tmp_path, noise=noise).read_text()
    assert "noise" not in yaml.safe_load(text) and "/noise" not in text
    said = f"the preset can't name the search's noise={noise['name']}; give it on the command line, as for the search\n"
    assert capsys.readouterr().err == ("" if noise is NONE else said)


def test_labels_from_a_file_are_asked_for_again(tmp_path):
    """A path isn't copied from a record, and right labels aren't what was tuned on."""
    preset = write(tmp_path, noise=HUMAN)
    assert compared(preset, "experiment=tuned") == ("digits", "cnn", "human", 0.0)
    assert "labels.csv" not in preset.read_text() and "noise" not in yaml.safe_load(preset.read_text())


def test_a_set_of_the_hub_is_to_be_named_again(tmp_path, capsys, monkeypatch):
    """Else the comparison would be on another data set, the usual one."""
    hub = HELD_OUT | {"name": "ylecun/mnist", "loader": "sweeper.datasets.hub"}
    monkeypatch.setattr("tests.choose.test_choice.HELD_OUT", hub)
    assert "/dataset" not in write(tmp_path).read_text()
    assert "can't name the search's dataset=ylecun/mnist; give it" in capsys.readouterr().err


def test_the_command_finds_noise_of_ones_own(tmp_path, capsys):
    (tmp_path / "own" / "noise").mkdir(parents=True)
    (tmp_path / "own" / "noise" / "few.yaml").write_text("kind: symmetric\nrate: 0.1\n")
    write(tmp_path, "--config-dir", str(tmp_path / "own"), noise=NOISE | {"name": "few"})
    command = capsys.readouterr().out.splitlines()[-1]
    assert "override /noise: few" in (tmp_path / "mine" / "experiment" / "tuned.yaml").read_text()
    assert "hydra.searchpath=" in command and (tmp_path / "own").as_uri() in command


def test_the_preset_of_an_earlier_version_is_no_other_choice(tmp_path):
    preset = write(tmp_path)
    new = preset.read_text()
    preset.write_text("".join(line for line in new.splitlines(True) if "override /dataset" not in line))
    assert write(tmp_path).read_text() == new
