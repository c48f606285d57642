"""What an earlier version left on the disk is read by this one: `golden/outputs/`, as schema 1 was first written.

Whoever changes the schema leaves that folder as it is, adds a step to `record.MIGRATIONS`, and lays a folder of the new
schema beside it.
"""

import csv
import shutil
from pathlib import Path

import pandas
import pytest
from forked_children import run_all_forked

import sweeper
from sweeper.aggregate.tables import to_csv
from sweeper.report.command import report
from sweeper.runs import record
from sweeper.runs.directory import RunDirectory
from sweeper.runs.record import Damaged, read_run

GOLDEN = Path(__file__).parent / "golden" / "outputs"
RUNS = sorted(GOLDEN.glob("*/*/"))


@pytest.fixture
def outputs(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "outputs")
    return tmp_path / "outputs"


def cells(outputs: Path) -> list[dict[str, str]]:
    from sweeper.runs.results import read_results

    results = read_results([outputs])
    text = to_csv(results.columns(), (run.values for run in results.runs)).decode()
    return list(csv.DictReader(text.splitlines()))


def test_every_cell_of_the_table_is_as_it_was_then():
    """Columns may have been added; none is gone and none tells something else."""
    with (GOLDEN / "results.csv").open(newline="") as file:
        then = list(csv.DictReader(file))
    now = cells(GOLDEN)
    assert [{name: row[name] for name in then[0]} for row in now] == then
    assert {row["status"] for row in then} == {"completed", "diverged", "interrupted"}


def test_its_page_is_made(outputs):
    (page,) = report([str(outputs)])
    assert page.read_text().count("adamw") > 0


def test_its_weights_are_loaded():
    weighed = [path.parent for path in GOLDEN.glob("*/*/model.safetensors")]
    assert len(weighed) == 2
    for directory in weighed:
        assert sum(p.numel() for p in sweeper.load_model(directory).parameters()) > 100


def test_its_checkpoint_is_whole():
    (path,) = GOLDEN.glob("*/*/checkpoint.pt")
    state = RunDirectory(path.parent).load_checkpoint()
    assert state is not None and (state["version"], state["epoch"], len(state["rows"])) == (1, 3, 2)


@pytest.mark.slow
def test_its_runs_are_answered_and_the_interrupted_one_goes_on(outputs):
    """Identities and checkpoints are those of then."""
    arguments = ["dataset=digits", "dataset.train_limit=200", "dataset.test_limit=100", "model=mlp", "model.width=4"]
    arguments += ["epochs=3", "device=cpu", "device.threads=1", "hydra/launcher=basic"]
    arguments += ["decay_norms_and_biases=false"]  # the default of then
    sgd = ("optimizer=sgd", "optimizer.lr=0.1", "optimizer.weight_decay=0.0005")  # the defaults of then
    done = run_all_forked("train", "-m", *sgd, *arguments, cwd=outputs.parent)
    assert done.returncode == 0, done.stderr
    assert "sgd-seed1-aa0de7a3: completed already" in done.stdout and "1 run, 1 done already" in done.stderr
    lion = ("optimizer=lion", "optimizer.lr=0.0002", "optimizer.weight_decay=1.5")
    done = run_all_forked("train", "-m", *lion, *arguments, cwd=outputs.parent)
    assert done.returncode == 0, done.stderr
    assert "1 run, 0 done already" in done.stderr
    (log,) = outputs.glob("*/lion*/train.log")
    assert "going on from the checkpoint: epoch 3, step 0" in log.read_text()
    assert {row["status"] for row in cells(outputs)} == {"completed", "diverged"}


def of_schema_2(record: dict) -> dict:
    """A step as a later version may need one: a figure renamed."""
    result = dict(record["result"] or {})
    result["epochs"] = result.pop("epochs_done")
    return {**record, "result": result}


@pytest.fixture
def next_version(monkeypatch):
    monkeypatch.setattr(record, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(record, "MIGRATIONS", {1: of_schema_2, 2: lambda record: {**record, "added": 7}})


@pytest.mark.parametrize("directory", RUNS, ids=lambda path: path.name)
def test_a_later_version_reads_it_step_by_step(next_version, directory):
    finished = (directory / "model.safetensors").exists()
    if not finished and read_raw(directory)["result"] is None:
        with pytest.raises(Damaged, match="not a run's record of schema 3"):  # the step doesn't know it
            read_run(directory)
        return
    run = read_run(directory)
    assert (run["schema_version"], run["added"]) == (3, 7)
    assert "epochs_done" not in run["result"] and run["result"]["epochs"] >= 1


def read_raw(directory: Path) -> dict:
    import json

    return json.loads((directory / "run.json").read_text())


def test_reading_changes_no_file(next_version, outputs):
    before = {path: path.read_bytes() for path in outputs.rglob("*") if path.is_file()}
    cells(outputs)
    assert before == {path: path.read_bytes() for path in outputs.rglob("*") if path.is_file()}
    assert pandas.DataFrame(cells(outputs)).shape[0] == len(RUNS)
