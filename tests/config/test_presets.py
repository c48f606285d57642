"""The study's presets: their runs, and that they train on a data set of 100 classes."""

import csv
import json

import numpy as np
import pytest
from forked_children import run_all_forked
from PIL import Image

from sweeper.config.grid import compose_grid
from sweeper.datasets.noise import CIFAR100_SUPERCLASSES

RUNS = {
    "quick": (15, 10),
    "milestone": (15, 50),
    "final": (15, 200),
    "robustness": (30, 100),
    "tune": (45, 200),
    "study_cifar10": (25, 100),
    "study_cifar100": (25, 100),
}


@pytest.mark.slow
@pytest.mark.parametrize("preset", RUNS)
def test_a_preset_has_its_runs_and_cut_short_whole_seeds_of_all_optimizers(preset):
    cells = compose_grid(["-m", f"experiment={preset}"]).cells
    runs, epochs = RUNS[preset]
    assert len(cells) == runs
    assert {(cell.config["epochs"], cell.config["save_model"]) for cell in cells} == {(epochs, False)}
    seed = 101 if preset == "tune" else 1
    first = [cell.config["optimizer"]["name"] for cell in cells if cell.config["seed"] == seed]
    assert {cell.config["seed"] for cell in cells[: len(first)]} == {seed}
    assert len(set(first)) == 5 and len(cells) == len(first) * {"tune": 1, "study_cifar10": 5, "study_cifar100": 5}.get(
        preset, 3
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Four training images and a test image of each of the 100 classes, a colour a class."""
    root = tmp_path_factory.mktemp("tree")
    numbers = np.random.default_rng(0)
    for name in (name for group in CIFAR100_SUPERCLASSES for name in group):
        colour = numbers.integers(0, 200, 3)
        for k in range(5):
            file = root / ("train" if k else "test") / name / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((colour + numbers.integers(0, 50, (32, 32, 3))).astype(np.uint8)).save(file)
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "narrowed", "runs"),
    [
        ("robustness", ["optimizer=sgd,lion", "seed=1,2"], 8),
        ("tune", ["optimizer=lion", "decay_factor=1.0", "hydra.sweeper.extensions=0"], 3),
    ],
)
def test_a_preset_trains_100_classes(tree, tmp_path, preset, narrowed, runs):
    small = (f"dataset.root={tree}", "model=mlp", "epochs=1", "device=cpu", "device.threads=1", "hydra/launcher=basic")
    preset_words = (f"experiment={preset}", "dataset=cifar100", *narrowed)
    cache = str(tree / "cache")
    done = run_all_forked("train", "-m", *preset_words, *small, cwd=tmp_path, XDG_CACHE_HOME=cache)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "outputs" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["completed"] * runs
    records = [json.loads(path.read_text()) for path in tmp_path.glob("outputs/cifar100-mlp/*/run.json")]
    assert {record["environment"]["num_classes"] for record in records} == {100}
    if preset == "robustness":
        assert {row["noise_rate"] for row in rows} == {"0.0", "0.2"}
        assert all((float(row["noise_rate"]) > 0) == bool(noisy(tmp_path, row)) for row in rows)
        (told,) = (line for line in done.stdout.splitlines() if line.startswith("robustness, "))
        assert told.startswith("robustness, cifar100, mlp, 20 % symmetric label noise: ") and "sgd" in told
    if preset == "tune":
        assert all(row["final_val_accuracy"] for row in rows)
        assert run_all_forked("choose", cwd=tmp_path).stdout.count("\nlion:") == 1


def noisy(folder, row):
    """How many training labels are wrong."""
    return len((folder / "outputs" / row["run"] / "corrupted_labels.csv").read_text().splitlines()) - 1


def test_a_preset_that_moves_runs_is_refused_in_a_line(call, tmp_path):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    preset = "# @package _global_\nhydra: {job: {chdir: true}}\n"
    (tmp_path / "mine" / "experiment" / "moves.yaml").write_text(preset)
    code, _, told = call("--config-dir", "mine", "experiment=moves", "dataset=digits")
    assert code == 2 and told.startswith("error: hydra.job.chdir=true: ") and told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
