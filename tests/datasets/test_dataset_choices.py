"""The data sets and noises of `conf/`: each choice is whole, and brings the model that suits it."""

from dataclasses import fields

import pytest
import yaml
from conftest import REPOSITORY
from hydra import compose

from sweeper.config.grid import compose_grid
from sweeper.config.hydra_versions import compose_from
from sweeper.config.schema import DatasetConfig, NoiseConfig
from sweeper.datasets.data import find_loader
from sweeper.runs.identity import run_hash

CONF = REPOSITORY / "conf"


def read_yaml(path):
    """A choice with what it inherits from its neighbours."""
    content = yaml.safe_load(path.read_text())
    inherited = {}
    for parent in content.pop("defaults", []):
        if isinstance(parent, str) and parent != "_self_":
            inherited |= read_yaml(path.with_name(f"{parent}.yaml"))
    return inherited | content


@pytest.mark.parametrize(("group", "schema"), [("dataset", DatasetConfig), ("noise", NoiseConfig)])
def test_every_choice_gives_every_value_of_the_schema(group, schema):
    for path in (CONF / group).glob("*.yaml"):
        names = set() if path.stem == "hub" else {"name"}  # the others are named by their files
        assert set(read_yaml(path)) == {field.name for field in fields(schema)} - names, path.name


@pytest.mark.parametrize("path", sorted((CONF / "dataset").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_loader_of_every_choice_exists(path):
    assert find_loader(read_yaml(path)["loader"]).__name__ == path.stem


def test_a_loaders_former_name_is_the_loader_of_today():
    """As a user's copy of an earlier YAML names it."""
    assert find_loader("sweeper.folder.folder") is find_loader("sweeper.datasets.folder")


@pytest.mark.parametrize(
    ("overrides", "model"),
    [
        ([], "resnet18"),
        (["dataset=digits"], "cnn"),
        (["dataset=cifar100"], "resnet18"),
        (["dataset=fashion_mnist"], "cnn"),
        (["dataset=digits", "model=mlp"], "mlp"),
        (["model=mlp", "dataset=cifar10"], "mlp"),
    ],
)
def test_a_data_set_brings_its_model_and_the_command_line_wins(overrides, model):
    with compose_from(str(CONF)):
        cfg = compose("config", overrides, return_hydra_config=True)
    assert cfg.hydra.runtime.choices.model == model


def test_a_held_out_fraction_is_part_of_the_identity_and_none_renames_no_run():
    cells = compose_grid(["-m", "dataset=folder", "dataset.root=x", "dataset.test_fraction=null,0.2,0.3"]).cells
    without, fifth, third = (cell.config for cell in cells)
    earlier = {**without, "dataset": {k: v for k, v in without["dataset"].items() if k != "test_fraction"}}
    assert "test_fraction" in without["dataset"] and run_hash(without) == run_hash(earlier)
    assert len({run_hash(config) for config in (without, fifth, third)}) == 3


def test_a_users_yaml_of_before_the_fraction_is_whole(tmp_path):
    """One that lists all values that there were, and inherits none."""
    (tmp_path / "dataset").mkdir()
    values = read_yaml(CONF / "dataset/digits.yaml")
    del values["test_fraction"]
    (tmp_path / "dataset/mine.yaml").write_text(yaml.safe_dump(values))
    cells = compose_grid(["--config-dir", str(tmp_path), "dataset=mine"]).cells
    assert cells[0].config["dataset"]["test_fraction"] is None
