"""What goes wrong while runs train, through the real command line: nothing else suffers, and nothing is lost."""

import csv
import json
import shutil
import time
from pathlib import Path

import pytest
from conftest import TINY, run_module
from forked_children import run_all_forked

pytestmark = pytest.mark.slow

USERS_MODEL = """
import torch
from torch import nn


class Fails(nn.Module):
    '''Works when it is tried before the sweep, and fails in its fifth batch.'''

    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.linear, self.batches = nn.Linear(64 * in_channels, num_classes), 0

    def forward(self, images):
        self.batches += self.training and len(images) > 2
        if self.batches > 4:
            raise RuntimeError("the third layer\\x1b[31m\\u202e!\\nis on fire")
        return self.linear(images.flatten(1))


class Huge(Fails):
    seen = 0

    def forward(self, images):
        large = self.training and len(images) > 2
        Huge.seen += large
        if large and Huge.seen > 4:
            torch.empty(10**15)
        return self.linear(images.flatten(1))
"""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def results(outputs: Path) -> dict[str, dict[str, str]]:
    return {f"{row['model']} {row['lr']}": row for row in rows(outputs / "results.csv")}


def metrics(outputs: Path) -> dict[str, list[dict[str, str]]]:
    times = ("train_seconds", "images_per_second")
    return {
        path.parent.name: [{k: v for k, v in row.items() if k not in times} for row in rows(path)]
        for path in sorted(outputs.glob("*/*/metrics.csv"))
    }


def wait_for(path: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def users_folder(tmp_path_factory):
    """A user's own groups and code, anywhere."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "conf" / "model").mkdir(parents=True)
    (folder / "conf" / "model" / "fails.yaml").write_text("_target_: users_model.Fails\n_partial_: true\n")
    (folder / "users_model.py").write_text(USERS_MODEL)
    return folder


@pytest.fixture(scope="module")
def mixed(users_folder):
    """A sweep of one failing, one diverging and one good run."""
    overrides = ("-m", "--config-dir", "conf", *TINY, "model=mlp,fails", "optimizer.lr=0.1,1e30", "outputs=mixed")
    return run_module("train", *overrides, cwd=users_folder, PYTHONPATH=str(users_folder))


def test_a_failed_run_stops_no_other(mixed, users_folder):
    assert mixed.returncode == 1
    table = results(users_folder / "mixed")
    assert {name: row["status"] for name, row in table.items()} == {
        "fails 0.1": "failed",
        "fails 1e+30": "failed",
        "mlp 0.1": "completed",
        "mlp 1e+30": "diverged",
    }


def test_its_reason_is_said_at_once_stands_in_the_table_and_whole_in_its_log(mixed, users_folder):
    lines = [line for line in mixed.stderr.splitlines() if "failed: RuntimeError: the third layer" in line]
    assert len(lines) == 2 and "Traceback" not in mixed.stderr
    row = results(users_folder / "mixed")["fails 0.1"]
    assert row["error"] == "RuntimeError: the third layer [31m !"
    directory = users_folder / "mixed" / row["run"]
    log = (directory / "train.log").read_text()
    assert "Traceback" in log and "is on fire" in log and "users_model.py" in log
    for text in (mixed.stderr, mixed.stdout, log):
        assert "\x1b" not in text and "\u202e" not in text


def test_a_diverged_run_is_a_result(mixed, users_folder):
    row = results(users_folder / "mixed")["mlp 1e+30"]
    assert "epoch 1, step" in row["error"] and row["final_test_accuracy"] == ""
    summary = {(r["model"], r["lr"]): r for r in rows(users_folder / "mixed" / "summary.csv")}
    assert (summary["mlp", "1e+30"]["n"], summary["mlp", "1e+30"]["n_diverged"]) == ("0", "1")
    again = run_all_forked("train", *TINY, "model=mlp", "optimizer.lr=1e30", "outputs=mixed", cwd=users_folder)
    assert again.returncode == 0 and "diverged already" in again.stdout


def test_a_failed_run_is_tried_again(mixed, users_folder):
    repaired = users_folder / "repaired"
    repaired.mkdir()
    (repaired / "users_model.py").write_text(USERS_MODEL.replace("self.batches > 4", "False"))
    shutil.copytree(users_folder / "mixed", repaired / "outputs")
    overrides = ("--config-dir", str(users_folder / "conf"), *TINY, "model=fails")
    done = run_all_forked("train", *overrides, cwd=repaired, PYTHONPATH=str(repaired))
    assert done.returncode == 0, done.stderr
    runs = [json.loads(p.read_text()) for p in (repaired / "outputs").glob("*-fails/*/run.json")]
    assert sorted((r["status"], r["error"] is None) for r in runs) == [("completed", True), ("failed", False)]


def test_memory_that_ran_out_on_the_host_is_the_runs_own_failure(users_folder):
    (users_folder / "conf" / "model" / "huge.yaml").write_text("_target_: users_model.Huge\n_partial_: true\n")
    overrides = ("-m", "--config-dir", "conf", *TINY, "model=huge,mlp", "outputs=huge", "hydra/launcher=basic")
    done = run_all_forked("train", *overrides, cwd=users_folder, PYTHONPATH=str(users_folder))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    reasons = {row["model"]: row["error"] for row in rows(users_folder / "huge" / "results.csv")}
    words = "out of memory with batch_size=64, alone on the CPU device; choose a smaller batch_size or model"
    assert reasons == {"huge": words, "mlp": ""}


def test_fail_fast_starts_nothing_more(users_folder):
    overrides = ("-m", "--config-dir", "conf", *TINY, "model=fails,mlp", "seed=1,2", "outputs=fast", "fail_fast=true")
    done = run_all_forked("train", *overrides, "hydra/launcher=basic", cwd=users_folder, PYTHONPATH=str(users_folder))
    assert done.returncode == 1
    assert [row["status"] for row in rows(users_folder / "fast" / "results.csv")] == ["failed"]
