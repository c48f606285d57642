"""`sweeper.plan` through its command line: what is counted, and what it refuses."""

import subprocess
import sys

import pytest
from made_runs import make_rows

from sweeper.config.grid import compose_grid
from sweeper.plan.standing import COUNTED
from sweeper.runs.directory import RunDirectory
from sweeper.runs.metrics import read_metrics
from tests.plan.test_forecast import GRID


def test_presets_are_taken_as_train_takes_them(plan):
    code, document = plan("experiment=grid", "dataset=digits")
    assert (code, document["runs"], document["epochs"]) == (0, 15, 300)
    assert {work["optimizer"]: work["runs"] for work in document["work"]} == dict.fromkeys(
        ("sgd", "adam", "adamw", "lion", "muon"), 3
    )


def make_standing(directory, config, status, epochs):
    run = RunDirectory(directory)
    run.write_run(status, config, {}, {} if status == "completed" else None)
    run.write_metrics(make_rows([0.9] * epochs))
    if status != "completed":
        (directory / "checkpoint.pt").touch()


def test_done_and_half_done_runs_are_told_from_their_directories(plan):
    cells = compose_grid(list(GRID)).cells
    make_standing(cells[0].directory, cells[0].config, "completed", 10)
    make_standing(cells[1].directory, cells[1].config, "interrupted", 7)
    make_standing(cells[2].directory, cells[2].config, "running", 2)  # its owner is dead
    assert len(read_metrics(cells[1].directory / "metrics.csv")[0]) == 7
    _, document = plan(*GRID)
    counts = [document[key] for key in ("runs", "done", "half_done", "to_do", "epochs_left")]
    assert counts == [4, 1, 2, 1, 3 + 8 + 10]
    _, text = plan(*GRID, text=True)
    assert f"1 done, 2 half-done, 1 to do; 21 of 40 epochs left\n{COUNTED}\n" in text
    _, every = plan(*GRID, "checkpoint_every=5")  # a killed run has lost what came after its last checkpoint
    assert every["epochs_left"] == 3 + 10 + 10
    _, again = plan(*GRID, "rerun=true")
    assert again["done"] == 0 and again["to_do"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["optimizer=loin"], "optimizer=loin: there is no such optimizer; did you mean 'lion'?"),
        (["--within"], "--within needs a value: must be a time above 0"),
        (["--within=soon"], "--within soon: must be a time above 0, such as 5h"),
        (["--probe-seconds", "0"], "--probe-seconds 0: must be a number of seconds above 0"),
        (["--cfg", "job"], "--cfg: is for python -m sweeper.train"),
        (["--wihtin=5h"], "see python -m sweeper.plan --help"),
        (["-m", "experiment=search", "optimizer=sgd"], "by experiment=tune lr_factor=1 decay_factor=1 epochs=8, and"),
        (["seed=1,2"], "several values are a sweep; add -m"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_timed(plan, tmp_path, arguments, words):
    code, error = plan(*arguments)
    assert code == 2 and error.startswith("error: ") and words in error and error.count("\n") == 1
    assert plan.asked == [] and list(tmp_path.iterdir()) == []


def test_a_question_and_a_finished_sweep_need_no_torch(tmp_path):
    for cell in compose_grid([*GRID, f"outputs={tmp_path}"]).cells:
        make_standing(cell.directory, cell.config, "completed", 10)
    for arguments, words in ((["--help"], "usage:"), ([*GRID, f"outputs={tmp_path}"], "4 done, 0 half-done, 0 to do")):
        code = f"import sys; from sweeper.plan.command import main; main({arguments}); "
        code += "print({'torch', 'pandas'} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert words in done.stdout and done.stdout.splitlines()[-1] == "set()"
