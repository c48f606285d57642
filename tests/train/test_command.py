"""One run and one sweep through the real command line, looked at from all sides."""

import csv
import json
import re
from pathlib import Path

import pytest
from conftest import TINY, run_module
from forked_children import run_all_forked
from json_schema import check

from sweeper.runs.metrics import METRICS

GRID = ("-m", "optimizer=sgd,lion", "seed=1,2", "noise=symmetric", "noise.rate=0.2", *TINY)
TIMES = ("train_seconds", "images_per_second")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def without_times(path: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows(path)]


def run_directories(outputs: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sorted(outputs.glob("*/*/run.json"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def sweep(folder):
    """Two optimizers × two seeds under label noise, two runs at a time."""
    return run_module("train", *GRID, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", cwd=folder)


@pytest.fixture(scope="module")
def runs(folder, sweep):
    return run_directories(folder / "outputs")


def test_a_sweep_ends_well_and_prints_its_summary(sweep, folder):
    assert sweep.returncode == 0, sweep.stderr
    assert "4 runs, 0 done already" in sweep.stderr
    assert sweep.stderr.count("completed, test") == 4
    assert "n = 2" in sweep.stdout and "lion" in sweep.stdout and "sgd" in sweep.stdout
    assert len(rows(folder / "outputs" / "results.csv")) == 4
    assert {row["n"] for row in rows(folder / "outputs" / "summary.csv")} == {"2"}


def test_each_run_has_its_own_directory(runs):
    assert [re.sub("-[0-9a-f]{8}$", "", name) for name in runs] == [
        "lion-symmetric-seed1",
        "lion-symmetric-seed2",
        "sgd-symmetric-seed1",
        "sgd-symmetric-seed2",
    ]
    for directory in runs.values():
        files = {path.name for path in directory.iterdir()}
        assert files == {"run.json", "metrics.csv", "model.safetensors", "corrupted_labels.csv", ".hydra", "train.log"}


def test_run_json_tells_what_where_and_how_well(runs):
    run = json.loads((next(iter(runs.values())) / "run.json").read_text())
    check("run", run)
    keys = ["schema_version", "identity_version", "status", "config", "environment", "result", "error", "files"]
    assert list(run) == keys
    assert [run[name] for name in ("schema_version", "identity_version")] == [1, 2]
    assert (run["status"], run["error"]) == ("completed", None)
    assert run["config"]["optimizer"]["name"] == "lion" and run["config"]["outputs"] == "../.."
    assert run["environment"]["device"] == "cpu" and run["environment"]["precision"] == "fp32"
    assert len(run["environment"]["data_digest"]) == 64 and run["environment"]["versions"]["torch"]
    assert run["result"]["epochs_done"] == 2 and run["result"]["shared_device"] is True
    assert run["environment"]["device_seconds"] > 0
    assert 0 < run["result"]["final_test_accuracy"] <= run["result"]["best_test_accuracy"] <= 1


def test_metrics_have_a_row_an_epoch(runs):
    for directory in runs.values():
        table = rows(directory / "metrics.csv")
        assert tuple(table[0]) == METRICS
        assert [(row["epoch"], row["step"]) for row in table] == [("1", "5"), ("2", "10")]
        for row in table:
            parts = (float(row[f"{kind}_train_accuracy"]) for kind in ("clean", "corrupted"))
            clean, corrupted = parts
            assert float(row["train_accuracy"]) == pytest.approx(0.8 * clean + 0.2 * corrupted)
            assert row["val_accuracy"] == "" and float(row["images_per_second"]) > 0


def test_every_run_sees_the_same_wrong_labels_and_their_share_is_exact(runs):
    labels = {directory.joinpath("corrupted_labels.csv").read_text() for directory in runs.values()}
    assert len(labels) == 1
    table = list(csv.DictReader(labels.pop().splitlines()))
    assert len(table) == 60  # 20 % of 300
    assert all(row["true_label"] != row["given_label"] for row in table)


@pytest.mark.slow
def test_the_launcher_makes_no_difference(runs, folder):
    """Joblib's workers and one process after another give the same metrics, apart from times."""
    done = run_all_forked("train", *GRID, "hydra/launcher=basic", "outputs=basic", cwd=folder)
    assert done.returncode == 0, done.stderr
    basic = run_directories(folder / "basic")
    assert list(basic) == list(runs)
    for name, directory in runs.items():
        assert without_times(directory / "metrics.csv") == without_times(basic[name] / "metrics.csv")
        weights = [(d / "model.safetensors").read_bytes() for d in (directory, basic[name])]
        assert weights[0] == weights[1]


def test_a_finished_sweep_is_answered_from_disk_without_torch(runs, folder, sweep):
    before = {path: path.stat().st_mtime_ns for d in runs.values() for path in d.rglob("*")}
    again = run_module("train", *GRID, cwd=folder, PYTHONPROFILEIMPORTTIME="1")
    assert again.returncode == 0
    assert again.stdout.count("completed already, test") == 4
    assert "n = 2" in again.stdout
    assert not re.search(r"\| +torch\b", again.stderr)
    assert before == {path: path.stat().st_mtime_ns for d in runs.values() for path in d.rglob("*")}


def test_an_answer_from_disk_says_what_was_otherwise(runs, folder):
    one = [o for o in GRID[3:] if o != "device.threads=1"]
    done = run_all_forked("train", "optimizer=lion", "seed=1", *one, "device.threads=2", cwd=folder)
    assert done.returncode == 0
    assert "completed already" in done.stdout
    assert "it was made with device.threads=1; rerun=true makes it as asked for now, and" in done.stdout


def test_the_trained_model_loads_and_gives_the_recorded_accuracy(runs):
    import torch

    import sweeper
    from sweeper.datasets.data import load_data

    for directory in runs.values():
        run = json.loads((directory / "run.json").read_text())
        model = sweeper.load_model(directory)
        data = load_data(run["config"]["dataset"], run["config"]["noise"])
        images = (data.test.images.float() / 255 - data.mean[:, None, None]) / data.std[:, None, None]
        with torch.no_grad():
            accuracy = (model(images).argmax(1) == data.test.labels).float().mean().item()
        assert accuracy == pytest.approx(run["result"]["final_test_accuracy"], abs=0.01)


@pytest.mark.slow
def test_a_sweep_goes_on_with_what_is_new(runs, folder):
    grid = [o.replace("seed=1,2", "seed=1,2,3") for o in GRID]
    before = {d: (d / "run.json").read_bytes() for d in runs.values()}
    done = run_all_forked("train", *grid, cwd=folder)
    assert done.returncode == 0
    assert "6 runs, 4 done already" in done.stderr
    assert done.stderr.count("completed, test") == 2
    assert all((d / "run.json").read_bytes() == content for d, content in before.items())


@pytest.mark.slow
def test_rerun_trains_again_and_keeps_the_earlier_result(folder, runs):
    one = ("optimizer=sgd", "seed=1", *GRID[3:])
    directory = next(d for name, d in runs.items() if name.startswith("sgd-symmetric-seed1"))
    before = (directory / "run.json").read_bytes()
    done = run_all_forked("train", *one, "rerun=true", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (directory / "previous" / "1" / "run.json").read_bytes() == before
    assert without_times(directory / "metrics.csv") == without_times(directory / "previous" / "1" / "metrics.csv")


@pytest.mark.slow
def test_cifar10_from_a_tree_of_images(tmp_path):
    """`python -m sweeper.train optimizer=lion dataset=cifar10 dataset.root=…`, on a few made images."""
    from PIL import Image

    for split, count in (("train", 4), ("test", 2)):
        for label in range(10):
            (tmp_path / "tree" / split / f"class{label}").mkdir(parents=True)
            for k in range(count):
                color = (25 * label, 40 * k, 100)
                Image.new("RGB", (32, 32), color).save(tmp_path / "tree" / split / f"class{label}" / f"{k}.png")
    (tmp_path / "tree/test/class3/photo.heic").touch()
    overrides = ("optimizer=lion", "dataset=cifar10", "dataset.root=tree", "epochs=1", "model.width=4", "device=cpu")
    done = run_module("train", *overrides, cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "data: CIFAR-10 from a tree of images in tree\n" in done.stderr
    files = "40 images in train/, 20 in test/; not taken: 1 .heic"
    assert done.stderr.count(f"dataset=cifar10: {files}\n") == 1
    assert "40 training and 20 test images; CIFAR-10 has 50000 and 10000" in done.stderr
    run = json.loads(next((tmp_path / "outputs" / "cifar10-resnet18").glob("*/run.json")).read_text())
    assert run["environment"]["data_form"] == "CIFAR-10 from a tree of images in ../../../tree"
    assert run["environment"]["test_images"] == 20
    assert run["environment"]["data_files"] == files
    again = run_all_forked("train", *overrides, cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert "completed already" in again.stdout and "it was made with" not in again.stdout


def test_the_default_launcher_is_known_by_its_name():
    from sweeper.config.grid import compose_grid

    assert compose_grid(["-m", *TINY]).launcher == "local"
    assert compose_grid(["-m", *TINY, "hydra/launcher=packed"]).launcher == "packed"
