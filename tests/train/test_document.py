"""`--json` prints one document and nothing else on standard output, however the command ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import TINY, merged
from forked_children import run_all_forked
from json_schema import check
from made_runs import change_record, make_rows, write_finished_run

from sweeper.train import sweep

TUNE = ("-m", "experiment=tune", "dataset=digits", "optimizer=sgd", "epochs=1", "hydra.sweeper.extensions=1", "--json")
SWEEP = ("-m", "optimizer=sgd,lion", "model=mlp", *TINY, "hydra/launcher=basic", "--json")


def document_in(out: str) -> dict:
    """The document after what goes to stderr, but not within pytest."""
    document = json.loads(out[out.index("{\n") :])
    check("train", document)
    return document


def carry_out_by(monkeypatch, train) -> None:
    """Sweeps that this function trains, without preparation and tables."""
    monkeypatch.setattr(sweep, "_launch", train)
    monkeypatch.setattr(sweep, "_prepare", lambda grid, cells: None)
    monkeypatch.setattr(sweep, "update_tables", lambda outputs, own: True)


def test_bad_input_is_a_document_with_the_line(call):
    code, out, err = call("--json", "optimzer=sgd")
    document = json.loads(out)
    check("train", document)
    assert code == document["exit_code"] == 2 and document["runs"] == []
    assert f"error: {document['error']}\n" == err and "did you mean 'optimizer'?" in err


def test_a_question_is_answered_as_without_it(call):
    assert call("--json", "--version") == call("--version")


def test_a_tunings_extensions_are_among_its_runs(call, monkeypatch):
    """The first time, when one of them fails, and when all are read from disk."""

    def train(grid, to_do, *others):
        """Finished runs, the better the higher the learning rate; at first one of the extension fails."""
        for cell in to_do:
            accuracy = 0.5 + cell.config["optimizer"]["lr"] / 10
            run = write_finished_run(grid.outputs, cell.config, make_rows([accuracy]), {})
            change_record(run, result__final_val_accuracy=accuracy)
        if len(to_do) == 3:
            change_record(run, status="failed", error="no memory", result=None)

    carry_out_by(monkeypatch, train)
    for code, statuses in ((1, {"completed", "failed"}), (0, {"completed"}), (0, {"completed"})):
        document = document_in(call(*TUNE)[1])
        assert document["exit_code"] == code and len(document["runs"]) == 12
        assert {run["status"] for run in document["runs"]} == statuses


def test_a_run_has_its_optimizer_its_arm_and_the_label_by_which_it_is_named(call, monkeypatch):
    """The first time, and when all are read from disk."""

    def train(grid, to_do, *others):
        for cell in to_do:
            write_finished_run(grid.outputs, cell.config, make_rows([0.5]), {})

    carry_out_by(monkeypatch, train)
    arms = ("--arm", "usual: optimizer=sgd", "--arm", "high: optimizer=sgd optimizer.lr=1")
    for words, named in (
        (arms, [("sgd", "usual", None), ("sgd", "high", None)]),
        ((*arms, "seed=1,2"), [("sgd", arm, f"seed {seed}") for seed in (1, 2) for arm in ("usual", "high")]),
        (("optimizer=sgd,lion", "seed=1"), [("sgd", None, "sgd"), ("lion", None, "lion")]),
        (("optimizer=sgd", "optimizer.lr=0.1,1"), [("sgd", None, "lr 0.1"), ("sgd", None, "lr 1")]),
        (("optimizer=lion",), [("lion", None, None)]),
    ):
        for _ in range(2):
            document = document_in(call("-m", "dataset=digits", "epochs=1", *words, "--json")[1])
            assert [(run["optimizer"], run["arm"], run["label"]) for run in document["runs"]] == named


@pytest.mark.slow
def test_sweeps_that_are_interrupted_or_diverge(tmp_path):
    command = [sys.executable, "-m", "sweeper.train", *merged(*SWEEP, "seed=1", "epochs=3000")]
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=err)
        deadline = time.monotonic() + 120
        while not any(tmp_path.glob("outputs/*/*/metrics.csv")):
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "err").read_text()
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    document = json.loads((tmp_path / "out").read_text())
    check("train", document)
    assert document["exit_code"] == 130 and [run["status"] for run in document["runs"]] == ["interrupted", "waiting"]
    assert "interrupted after epoch" in (tmp_path / "err").read_text()
    done = run_all_forked("train", *SWEEP, "seed=2", "divergence_loss=1e-9", cwd=tmp_path)
    document = json.loads(done.stdout)
    check("train", document)
    assert done.returncode == document["exit_code"] == 0
    assert [run["status"] for run in document["runs"]] == ["diverged", "diverged"]
    assert "loss not finite or above the bound" in document["runs"][0]["error"]
    assert document["answers"] == ["Every finished run on this task diverged, so there is no verdict."]
    assert [*document["tables"], document["page"]] == [
        f"outputs/{name}" for name in ("results.csv", "summary.csv", "report.html")
    ]
    assert document["answers"][0] in done.stderr and all((tmp_path / path).is_file() for path in document["tables"])
