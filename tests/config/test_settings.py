"""An optimizer's values come from the literature; a data set, or a preset, may bring others, and a user's word counts
most."""

import re
from pathlib import Path

import pytest
from conftest import TINY, merged
from forked_children import run_all_forked
from omegaconf import OmegaConf

from sweeper.config.grid import CONF, compose_grid

OPTIMIZERS = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml") if path.stem != "any")
SETTINGS = [path.relative_to(CONF / "settings").with_suffix("").parts for path in CONF.glob("settings/*/*.yaml")]
OWN = [parts for parts in SETTINGS if not (CONF / "experiment" / f"{parts[0]}.yaml").is_file()]  # others are a preset's
SOURCE = re.compile(r"arXiv \d{4}\.\d{5}|github\.com/[\w-]+/[\w-]+|kuangliu/pytorch-cifar")


def optimizer(*words: str) -> dict:
    (cell,) = compose_grid(merged(*words)).cells
    return cell.config["optimizer"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizers_values_have_a_source_and_say_if_it_is_not_of_cifar(name):
    lines = (CONF / "optimizer" / f"{name}.yaml").read_text().splitlines()
    head = " ".join(line for line in lines[: next(k for k, line in enumerate(lines) if line[0] != "#")])
    assert SOURCE.search(head)
    assert "CIFAR" in head


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_parameter_is_decayed_unless_asked_otherwise(name):
    (cell,) = compose_grid([f"optimizer={name}"]).cells
    assert cell.config["decay_norms_and_biases"] is True
    assert cell.config["optimizer"]["weight_decay"] > 0


@pytest.mark.parametrize(("dataset", "name"), OWN)
def test_a_data_set_brings_its_own_values_of_an_optimizer(dataset, name):
    own = OmegaConf.to_container(OmegaConf.load(CONF / "settings" / dataset / f"{name}.yaml"))
    everywhere = optimizer("dataset=cifar10", f"optimizer={name}")
    assert all(everywhere[key] != value for key, value in own.items()), "what it brings is what differs"
    assert optimizer(f"dataset={dataset}", f"optimizer={name}") == everywhere | own
    assert optimizer(f"dataset={dataset}", f"optimizer={name}", "optimizer.lr=0.5")["lr"] == 0.5
    assert optimizer(f"dataset={dataset}", f"optimizer={name}", "lr_factor=2")["lr"] == 2 * (everywhere | own)["lr"]


def test_a_sweep_takes_each_optimizers_own():
    cells = compose_grid(["-m", "optimizer=radam,adan,sgd", "dataset=digits,mnist"]).cells
    rates = {(c.config["dataset"]["name"], c.config["optimizer"]["name"]): c.config["optimizer"]["lr"] for c in cells}
    assert rates == {
        ("digits", "radam"): 0.01,
        ("digits", "adan"): 0.003,
        ("digits", "sgd"): 0.1,
        ("mnist", "radam"): 0.001,
        ("mnist", "adan"): 0.001,
        ("mnist", "sgd"): 0.1,
    }


def add(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_a_users_folder_brings_values_and_presets_of_them(tmp_path):
    add(tmp_path, "settings/cifar100/sgd.yaml", "lr: 0.2")
    add(tmp_path, "settings/mine/sgd.yaml", "momentum: 0.5\n")
    preset = "# @package _global_\ndefaults:\n  - override /settings@optimizer: mine/${optimizer}\n"
    add(tmp_path, "experiment/mine.yaml", preset)
    given = ["--config-dir", str(tmp_path)]
    values = optimizer("optimizer=sgd")
    assert optimizer(*given, "dataset=cifar100") == values | {"lr": 0.2}
    assert optimizer(*given, "dataset=cifar100", "experiment=mine") == values | {"momentum": 0.5}
    assert optimizer(*given, "experiment=mine", "optimizer=lion") == optimizer("optimizer=lion")
    grid = compose_grid([*given, "experiment=[quick,mine]", "optimizer=sgd,lion", "seed=1"])
    assert {c.config["epochs"] for c in grid.cells} == {10}
    assert [c.config["optimizer"].get("momentum") for c in grid.cells] == [0.5, None]


@pytest.mark.slow
def test_the_command_line_names_and_records_a_run_by_them(tmp_path):
    words = (*TINY, "optimizer=radam", "model=mlp", "epochs=1")
    (cell,) = compose_grid(merged(*words)).cells
    done = run_all_forked("train", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = OmegaConf.load(tmp_path / cell.directory / "run.json")
    assert record.config.optimizer.lr == 0.01
