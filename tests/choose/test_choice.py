"""`python -m sweeper.choose`: what it takes, writes down, and refuses."""

import csv
import json
import shlex
import shutil

import pytest
import yaml
from conftest import REPOSITORY
from made_runs import change_record, make_config, make_run, name_as_configured

from sweeper.choose.command import main
from sweeper.config.grid import compose_grid
from sweeper.config.tuned import recipe_hash

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
    written = (search / "chosen.yaml").read_text()
    tuned = told.removeprefix(written).splitlines()
    assert told.startswith(written) and all(line.startswith("# ") for line in tuned)
    assert tuned[1].startswith("# sgd: lr 0.1, 0.4, 1.6 × weight_decay 0.5, 1.5; 6 trials, 18 epochs; 1 within half a")
    assert tuned[1].endswith("; chosen: weight_decay highest, on the edge: extend")
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


@pytest.fixture
def conf(tmp_path):
    """A folder for `--config-dir` with copies of all optimizers' YAML."""
    shutil.copytree(REPOSITORY / "conf" / "optimizer", tmp_path / "a" / "conf" / "optimizer")
    return tmp_path / "a" / "conf"


def tuned(values):
    """An optimizer's settings: the values, and that they were chosen."""
    fact = {"chosen_by": "validation", "epochs": 3, "dataset": "digits", "images": "d" * 8, "values": values}
    return values | {"tuned": fact | {"model": "cnn", "recipe": recipe_hash(make_config(dataset=HELD_OUT))}}


def contents(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_values_become_a_preset_and_no_default_changes(search, conf, capsys):
    before = contents(conf)
    for _ in range(2):  # the second time over its own files
        assert main([str(search), "--write", str(conf)]) == 0
    told = capsys.readouterr().out
    new = {name: content for name, content in contents(conf).items() if name not in before}
    assert contents(conf) == before | new
    assert {name: yaml.safe_load(content) for name, content in new.items()} == {
        "settings/tuned/lion.yaml": tuned({"lr": 6e-05, "weight_decay": 1.5}),
        "settings/tuned/sgd.yaml": tuned({"lr": 0.4, "weight_decay": 1.5}),
        "experiment/tuned.yaml": {
            "defaults": [
                {"override /dataset": "digits"},
                {"override /model": "cnn"},
                {"override /settings@optimizer": "tuned/${optimizer}"},
            ],
            "epochs": 3,
            "save_model": False,
            "hydra": {"mode": "MULTIRUN", "sweeper": {"params": {"seed": "2,3,4,5,6", "optimizer": "lion,sgd"}}},
        },
    }
    source = f"digits, cnn, no label noise, 3 epochs; every trial: {search.as_posix()}/search.csv"
    assert all(source in content.decode() for content in new.values())
    command = shlex.split(told.splitlines()[-1])
    assert command[:6] == ["python", "-m", "sweeper.train", "-m", "--config-dir", str(conf)]
    cells = compose_grid(["-m", *command[4:]]).cells
    values = {(c.config["optimizer"]["name"], c.config["optimizer"]["lr"], c.config["epochs"]) for c in cells}
    assert values == {("lion", 6e-05, 3), ("sgd", 0.4, 3)} and len(cells) == 10
    assert {cell.config["seed"] for cell in cells} == {2, 3, 4, 5, 6}  # the search has 1
    assert {cell.config["tuned"] for cell in cells} == {"3 epochs on another recipe"}  # made runs have no whole one
    assert all("# sgd: lr 0.1, 0.4, 1.6 × weight_decay 0.5, 1.5; 6 trials" in text.decode() for text in new.values())


def test_sweepers_own_yaml_tells_the_options_where_the_folder_has_none(search, tmp_path):
    before = contents(REPOSITORY / "conf")
    assert main([str(search), "--write", str(tmp_path / "new"), "--name", "mine"]) == 0
    assert sorted(contents(tmp_path / "new")) == [
        "experiment/mine.yaml",
        "settings/mine/lion.yaml",
        "settings/mine/sgd.yaml",
    ]
    assert contents(REPOSITORY / "conf") == before


def test_a_preset_has_all_in_which_the_chosen_run_differs_from_the_optimizers_own_values(tmp_path, capsys):
    """Such as an option that was given to all trials: a preset replaces the data set's own values, too."""
    for k, lr in enumerate((0.1, 0.2)):
        config = {"optimizer__lr": lr, "optimizer__momentum": 0.5, "optimizer__nesterov": True}
        make_trial(tmp_path / "outputs", 0.9 - k / 10, 0.9, optimizer="sgd", **config)
    assert main([str(tmp_path / "outputs"), "--write", str(tmp_path / "conf")]) == 0
    preset = yaml.safe_load((tmp_path / "conf" / "settings" / "tuned" / "sgd.yaml").read_text())
    assert preset == tuned({"lr": 0.1, "momentum": 0.5})


def test_another_choice_is_replaced_only_if_asked(search, conf, capsys, tmp_path):
    assert main([str(search), "--write", str(conf)]) == 0
    before = contents(conf)
    for k, lr in enumerate((0.7, 0.8)):
        make_trial(tmp_path / "other", 0.9 - k / 10, 0.9, optimizer="sgd", optimizer__lr=lr)
    capsys.readouterr()
    assert main([str(tmp_path / "other"), "--write", str(conf)]) == 2
    error = capsys.readouterr().err
    assert "is of another choice; keep it by another --name NAME, or take this by --replace" in error
    assert error.count("\n") == 1 and contents(conf) == before
    assert main([str(tmp_path / "other"), "--write", str(conf), "--replace"]) == 0
    assert sorted(contents(conf).keys() - contents(conf / "optimizer").keys() - before.keys()) == []
    assert [file.name for file in (conf / "settings" / "tuned").iterdir()] == ["sgd.yaml"]
    assert yaml.safe_load((conf / "settings" / "tuned" / "sgd.yaml").read_text()) == tuned({"lr": 0.7})
    assert main([str(search), "--write", str(conf), "--name", "tuned-3"]) == 0


def test_a_folder_of_optimizers_is_no_place_for_a_preset(search, conf, capsys):
    before = contents(conf)
    assert main([str(search), "--write", str(conf / "optimizer")]) == 2
    assert "optimizer: defaults aren't written to; give a folder for presets" in capsys.readouterr().err
    assert contents(conf) == before


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
        ("evil", [1.0, 2.0], "sgd.yaml: has no option 'evil', which the chosen run has"),
        ("momentum", [[2**70], 0.5], "momentum: [1180591620717411303424] was chosen, but only numbers are written"),
        ("a.b\nc", [1.0, 2.0], "no optimizer has several completed settings"),
        ("a: {b", [1.0, 2.0], "can't be chosen"),
    ],
)
def test_of_records_of_somebody_else_only_numbers_of_known_options_are_written(
    tmp_path, conf, capsys, option, tried, words
):
    """The first value has the highest validation accuracy."""
    before = contents(conf)
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
    assert contents(conf) == before
    assert not (tmp_path / "outputs" / "search.csv").exists()


@pytest.mark.parametrize("name", ["../../victim", "/etc/victim", "..", "", "sgd.yaml", "sgd\n", "SGD"])
def test_an_optimizers_name_is_that_of_a_file_that_is_there(search, tmp_path, conf, capsys, name):
    before = contents(conf)
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
    assert victim.read_text() == "lr: 1.0\nweight_decay: 1.0\n" and contents(conf) == before
    assert not (search / "chosen.yaml").exists()


def test_lists_of_numbers_are_written_where_such_a_list_stands(tmp_path, conf):
    for k, betas in enumerate(([0.8, 0.95], [0.9, 0.99])):
        make_trial(tmp_path / "outputs", 0.9 - k / 10, 0.9, optimizer="adam", optimizer__betas=betas)
    assert main([str(tmp_path / "outputs"), "--write", str(conf)]) == 0
    preset = yaml.safe_load((conf / "settings" / "tuned" / "adam.yaml").read_text())
    assert preset == tuned({"betas": [0.8, 0.95], "lr": 0.1})


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


def test_of_two_searches_the_user_names_one(search, capsys):
    for lr in (0.1, 0.2):
        make_trial(search, 0.5, 0.5, epochs=9, optimizer__lr=lr)
    assert main([str(search)]) == 2
    error = capsys.readouterr().err
    assert "there are several searches (digits, cnn, no label noise, 3 epochs; digits, cnn, no label noise, 9" in error


def test_searches_by_two_recipes_are_two_and_their_labels_say_so(search, capsys):
    for lr in (0.1, 0.2):
        make_trial(search, 0.5, 0.5, optimizer__lr=lr, decay_norms_and_biases=True)
    assert main([str(search)]) == 2
    error = capsys.readouterr().err
    assert "there are several searches" in error
    for end in ("–", "true"):
        assert f"digits, cnn, no label noise, decay_norms_and_biases {end}" in error


def test_a_search_in_a_precision_by_name_is_gone_on_with_in_it(tmp_path, capsys):
    for lr in (0.1, 0.2):
        make_trial(tmp_path / "outputs", lr, 0.5, optimizer__lr=lr, device__precision="bf16")
    assert main([str(tmp_path / "outputs"), "--write", str(tmp_path / "conf")]) == 0
    assert " device.precision=bf16" in capsys.readouterr().out.splitlines()[-1]
