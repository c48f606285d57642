"""`python -m sweeper.choose`: what it takes, writes down, and refuses."""

import csv
import json
import shutil

import pytest
import yaml
from conftest import REPOSITORY, run_module
from made_runs import change_record, make_run, name_as_configured

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
        (
            lambda conf: (conf / "lion.yaml").unlink(),
            "conf: has no file of the optimizer 'lion'; there are: ",
        ),
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


@pytest.mark.parametrize(
    ("option", "tried", "words"),
    [
        ("_target_", ["os.system", "os.remove"], "_target_=os.remove: can't be chosen"),
        ("lr", ["7\n_target_: os.system", 0.1], "no optimizer has several completed settings"),  # damaged
        ("momentum", ["0.9\n_target_: os.system", 0.5], "momentum: '0.9 _target_: os.system' was chosen"),
        ("momentum", ["${oc.env:HOME}", 0.5], "momentum=${oc.env:HOME}: can't be chosen"),
        ("momentum", [["${oc.env:HOME}"], 0.5], "momentum=['${oc.env:HOME}']: can't be chosen"),
        ("momentum", [float("nan"), 0.5], "momentum: .nan was chosen, but only numbers are written"),
        ("momentum", [float("-inf"), 0.5], "momentum: -.inf was chosen, but only numbers are written"),
        ("momentum", [True, 0.5], "momentum: true was chosen, but only numbers are written"),
        ("momentum", [[0.9, 0.8], 0.5], "momentum: [0.9, 0.8] was chosen, but only numbers are written"),
        ("momentum", [None, 0.5], "momentum: null was chosen, but only numbers are written"),
        ("nesterov", [1, 0], "nesterov: 1 was chosen, but only numbers are written, in place of numbers such as true"),
        ("evil", [1.0, 2.0], "sgd.yaml: has no line 'evil: …' to write to"),
        ("momentum", [[2**70], 0.5], "momentum: [1180591620717411303424] was chosen, but only numbers are written"),
        ("a.b\nc", [1.0, 2.0], "no optimizer has several completed settings"),
        ("a: {b", [1.0, 2.0], "can't be chosen"),
    ],
)
def test_of_records_of_somebody_else_only_numbers_of_known_options_are_written(tmp_path, capsys, option, tried, words):
    """The first value has the highest validation accuracy."""
    conf = tmp_path / "conf"
    shutil.copytree(REPOSITORY / "conf" / "optimizer", conf)
    before = {file: file.read_bytes() for file in conf.iterdir()}
    for k, value in enumerate(tried):
        run = make_run(tmp_path / "outputs", dataset=HELD_OUT, optimizer__lr=0.1 + k / 100, optimizer__weight_decay=k)
        record = json.loads((run / "run.json").read_text())
        record["config"]["optimizer"] |= {"lr": 0.1, "weight_decay": 0.0, option: value}
        record["result"] |= {"final_val_accuracy": 0.9 - k / 10, "best_val_accuracy": 0.9}
        (run / "run.json").write_text(json.dumps(record))
        name_as_configured(run)
    status = main([str(tmp_path / "outputs"), "--write", str(conf)])
    error = capsys.readouterr().err
    assert (status, error.count("\n")) == (2, 1) and words in error, error
    assert {file: file.read_bytes() for file in conf.iterdir()} == before
    assert not (tmp_path / "outputs" / "search.csv").exists()


@pytest.mark.parametrize("name", ["../../victim", "/etc/victim", "..", "", "sgd.yaml", "sgd\n", "SGD"])
def test_an_optimizers_name_is_that_of_a_file_in_the_folder(search, tmp_path, capsys, name):
    conf = tmp_path / "a" / "conf"
    shutil.copytree(REPOSITORY / "conf" / "optimizer", conf)
    victim = tmp_path / "victim.yaml"
    victim.write_text("lr: 1.0\nweight_decay: 1.0\n")
    for record in list(search.rglob("run.json")):
        content = json.loads(record.read_text())
        if content["config"]["optimizer"]["name"] == "lion":
            content["config"]["optimizer"]["name"] = name
            record.write_text(json.dumps(content))
            name_as_configured(record.parent)
    assert main([str(search), "--write", str(conf)]) == 2
    error = capsys.readouterr().err
    assert "has no file of the optimizer" in error and error.count("\n") == 1
    assert victim.read_text() == "lr: 1.0\nweight_decay: 1.0\n"
    assert not (search / "chosen.yaml").exists()


def test_lists_of_numbers_are_written_where_such_a_list_stands(tmp_path):
    conf = tmp_path / "conf"
    shutil.copytree(REPOSITORY / "conf" / "optimizer", conf)
    for k, betas in enumerate(([0.8, 0.95], [0.9, 0.99])):
        make_trial(tmp_path / "outputs", 0.9 - k / 10, 0.9, optimizer="adam", optimizer__betas=betas)
    assert main([str(tmp_path / "outputs"), "--write", str(conf)]) == 0
    assert yaml.safe_load((conf / "adam.yaml").read_text())["betas"] == [0.8, 0.95]


def test_a_value_of_several_lines_is_left_to_the_user(search, tmp_path, capsys):
    conf = tmp_path / "conf"
    shutil.copytree(REPOSITORY / "conf" / "optimizer", conf)
    text = (conf / "lion.yaml").read_text()
    (conf / "lion.yaml").write_text(f"note: |\n  a\nlr:\n  0.1\n{text}".replace("lr: 0.0006", "x: 1"))
    before = (conf / "lion.yaml").read_text()
    assert main([str(search), "--write", str(conf)]) == 2
    assert (
        "lion.yaml: can't be written to; it must be YAML with each of lr, weight_decay in one line"
        in capsys.readouterr().err
    )
    assert (conf / "lion.yaml").read_text() == before


def test_texts_of_a_record_stay_texts_in_the_choice(tmp_path, capsys):
    """Not written into a configuration, and no line of the file's own."""
    dataset = HELD_OUT | {"name": "digits\nos: {_target_: os.system}"}
    for k, kind in enumerate(("l2\nevil: 1", "decoupled")):
        run = make_run(tmp_path, dataset=dataset, optimizer__lr=0.1, optimizer__kind=kind)
        change_record(run, result__final_val_accuracy=0.9 - k / 10, result__best_val_accuracy=0.9)
    assert main([str(tmp_path)]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == {"sgd": {"kind": "l2 evil: 1"}}


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
