"""What a user types is the same in every process, in every file, and to every reader."""

import json

import pandas
import pytest
from conftest import TINY, run_module
from forked_children import run_all_forked
from omegaconf import OmegaConf

import sweeper

pytestmark = pytest.mark.slow


def test_texts_precisions_and_the_time_are_the_same_in_every_process_and_file(tmp_path):
    """A sweep in one process whose runs of `auto`, on the CPU fp32, come after those in bf16."""
    grid = ("device.precision=bf16,fp32,auto", "tag=1e5,true", "outputs=runs/${now:%Y-%m-%d_%H-%M-%S}")
    done = run_module("train", "-m", *TINY, "epochs=1", "model=mlp", *grid, "hydra/launcher=packed", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (outputs,) = (tmp_path / "runs").iterdir()
    losses = {}
    for directory in outputs.glob("*/*-seed1-*"):
        run = json.loads((directory / "run.json").read_text())
        asked, tag = run["config"]["device"]["precision"], run["config"]["tag"]
        assert run["environment"]["precision"] == {"auto": "fp32"}.get(asked, asked)
        assert OmegaConf.load(directory / ".hydra" / "config.yaml").tag == tag
        losses[asked, tag] = run["result"]["final_train_loss"]
    assert set(losses) == {(asked, tag) for asked in ("auto", "bf16", "fp32") for tag in ("1e5", "true")}
    assert losses["auto", "1e5"] == losses["fp32", "true"] != losses["bf16", "1e5"] == losses["bf16", "true"]
    table = pandas.read_csv(outputs / "results.csv", dtype={"tag": "string"})
    assert sorted(table.tag) == sorted(sweeper.load_results(outputs).tag) == ["1e5"] * 3 + ["true"] * 3
    page = (outputs / "report.html").read_text()
    for asked in ("auto", "bf16", "fp32"):
        assert f"device.precision {asked}, tag 1e5" in page


@pytest.mark.parametrize("words", [[], ["-m", "seed=1,2", "hydra/launcher=joblib"]])
def test_a_folder_of_the_time_is_one_folder(tmp_path, words):
    """Each process would resolve the time differently."""
    done = run_all_forked("train", *words, *TINY, "epochs=1", "model=mlp", "outputs=runs/${now:%H-%M-%S}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("runs/*/digits-mlp"))) == 1
