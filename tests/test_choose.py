"""`python -m sweeper.choose`: what it takes, writes down, and refuses."""

import csv
import shutil

import pytest
import yaml
from conftest import REPOSITORY, run_module
from made_runs import change_record, make_run

from sweeper.choose import main

HELD_OUT = {"name": "digits", "loader": "sweeper.datasets.digits", "validation_fraction": 0.1}


def make_trial(outputs, validation, test, status="completed", **config):
    run = make_run(outputs, status, accuracy=test, dataset=HELD_OUT, **config)
    change_record(run, result__final_val_accuracy=validation, result__best_val_accuracy=1 - validation)


@pytest.fixture
def search(tmp_path):
    """Two optimizers x three learning rates x two weight decays. The best on validation images is neither the best on
    test images nor the best of all epochs."""
    for optimizer, least in (("sgd", 0.1), ("lion", 6e-05)):
        for k in range(3):
            for j in range(2):
                options = {"optimizer__lr": least * 4**k, "optimizer__weight_decay": 0.5 + j}
                validation = 0.8 - 0.1 * (k if optimizer == "lion" else abs(k - 1)) + 0.01 * j
                make_trial(tmp_path / "outputs", validation, 0.9 - validation / 2, optimizer=optimizer, **options)
    return tmp_path / "outputs"


def test_the_best_on_validation_images_is_chosen_and_an_edge_is_told(search, capsys):
    assert main([str(search)]) == 0
    told = capsys.readouterr().out
    assert told == (search / "chosen.yaml").read_text()
    assert yaml.safe_load(told) == {
        "lion": {"lr": 6e-05, "weight_decay": 1.5},
        "sgd": {"lr": 0.4, "weight_decay": 1.5},
    }
    assert "digits, cnn, no label noise, 3 epochs" in told
    assert "lion:  # 81.00 %, the best of 6 trials\n" in told
    assert "  lr: 6.0e-05  # the lowest tried: a better one may lie beyond\n" in told
    assert "  lr: 0.4\n" in told
    assert told.count("# the highest tried") == 2


def test_every_trial_is_in_the_table(search, tmp_path):
    assert main([str(search), "--into", str(tmp_path / "made" / "here")]) == 0
    with (tmp_path / "made" / "here" / "search.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert [(r["optimizer"], r["lr"], r["weight_decay"]) for r in rows if r["chosen"] == "true"] == [
        ("lion", "6e-05", "1.5"),
        ("sgd", "0.4", "1.5"),
    ]
    assert {row["n"] for row in rows} == {"1"}
    assert max(float(row["final_val_accuracy"]) for row in rows) == pytest.approx(0.81)
    assert not (search / "search.csv").exists()


def test_a_trial_that_diverged_is_not_chosen_and_an_unfinished_one_is_told(search, capsys):
    make_trial(search, 0.99, 0.9, "diverged", optimizer="sgd", optimizer__lr=6.4)
    make_trial(search, 0.99, 0.9, "interrupted", optimizer="sgd", optimizer__lr=9.9)
    assert main([str(search)]) == 0
    told = capsys.readouterr().out
    assert yaml.safe_load(told)["sgd"]["lr"] == 0.4
    assert "the best of 7 of 8 trials" in told


def test_an_optimizer_that_completed_no_trial_gets_no_values(search, capsys):
    make_trial(search, 0.0, 0.1, "diverged", optimizer="muon")
    assert main([str(search)]) == 0
    assert sorted(yaml.safe_load(capsys.readouterr().out)) == ["lion", "sgd"]


def test_the_values_are_written_into_the_optimizers_files_and_nothing_else_changes(search, tmp_path):
    conf = tmp_path / "conf"
    shutil.copytree(REPOSITORY / "conf" / "optimizer", conf)
    before = {file.name: file.read_text().splitlines() for file in conf.iterdir()}
    for _ in range(2):  # the second time over its own comments
        assert main([str(search), "--write", str(conf)]) == 0
    after = {file.name: file.read_text().splitlines() for file in conf.iterdir()}
    changed = {name for name, lines in after.items() if lines != before[name]}
    assert changed == {"lion.yaml", "sgd.yaml"}
    source = f"tuned: {search.as_posix()}/search.csv"
    new = [line for line in after["lion.yaml"] if line not in before["lion.yaml"]]
    assert new == [f"lr: 6.0e-05             # {source}", f"weight_decay: 1.5       # decoupled; {source}"]
    assert len(after["lion.yaml"]) == len(before["lion.yaml"])
    assert yaml.safe_load((conf / "sgd.yaml").read_text())["lr"] == 0.4


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (lambda conf: (conf / "lion.yaml").unlink(), "lion.yaml: there is no such file; --write wants a folder of"),
        (lambda conf: (conf / "lion.yaml").write_text("lr: 1\n"), "lion.yaml: has no line 'weight_decay: …' to write"),
    ],
    ids=["no file", "no line"],
)
def test_a_value_that_has_no_place_is_refused_and_nothing_written(search, tmp_path, capsys, arrange, words):
    conf = tmp_path / "conf"
    shutil.copytree(REPOSITORY / "conf" / "optimizer", conf)
    arrange(conf)
    before = (conf / "sgd.yaml").read_text()
    assert main([str(search), "--write", str(conf)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and words in error and error.count("\n") == 1
    assert (conf / "sgd.yaml").read_text() == before and not (search / "search.csv").exists()


def test_a_folder_that_can_not_be_written_is_named(search, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main([str(search), "--into", str(tmp_path / "file")]) == 2
    error = capsys.readouterr().err
    assert error == f"error: {tmp_path}/file: can't be written: File exists; choose another folder by --into DIR\n"


def test_without_validation_images_nothing_is_chosen(tmp_path, capsys):
    for lr in (0.1, 0.2):
        make_run(tmp_path, optimizer__lr=lr)
    assert main([str(tmp_path)]) == 2
    assert "no optimizer has several completed settings with validation images" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.csv"))


def test_two_searches_are_told_apart_by_the_user(search, capsys):
    for lr in (0.1, 0.2):
        make_trial(search, 0.5, 0.5, epochs=9, optimizer__lr=lr)
    assert main([str(search)]) == 2
    error = capsys.readouterr().err
    assert "there are several searches (digits, cnn, no label noise, 3 epochs; digits, cnn, no label noise, 9" in error


@pytest.mark.slow
def test_a_search_then_runs_with_what_it_chose(tmp_path):
    """Through command lines alone: what was found by a factor is the same run as what is written out."""
    tiny = ("dataset=digits", "model=mlp", "dataset.train_limit=200", "epochs=1", "device=cpu", "device.threads=1")
    searched = ("experiment=tune", "optimizer=sgd,lion", "lr_factor=0.3,1.0", "weight_decay_factor=1.0")
    assert run_module("train", "-m", *searched, *tiny, cwd=tmp_path).returncode == 0
    done = run_module("choose", "outputs", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    chosen = yaml.safe_load(done.stdout)
    for optimizer in ("sgd", "lion"):
        values = [f"optimizer.{name}={value}" for name, value in chosen[optimizer].items()]
        command = (f"optimizer={optimizer}", *values, *tiny, "dataset.validation_fraction=0.1")
        again = run_module("train", *command, cwd=tmp_path)
        assert again.returncode == 0 and "completed already" in again.stdout
