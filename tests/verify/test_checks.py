"""An honest folder holds; each kind of forgery in it is reported, once and by itself."""

import json
import shutil

import pytest
from made_folder import LOADER, make_folder, make_trial, rename_content, rewrite
from made_runs import change_record, make_run, name_as_configured

from sweeper.choose.choice import choose
from sweeper.verify.checks import check
from sweeper.verify.folder import read_folder


def found(*folders):
    """The findings' texts: notes and problems."""
    outputs = list(map(str, folders))
    runs, results = read_folder(outputs)
    findings = check(runs, results, outputs, None)
    return [[one for one in findings if one.problem is problem] for problem in (False, True)]


def test_an_honest_folder_holds_and_is_described(tmp_path):
    make_folder(tmp_path)
    notes, problems = found(tmp_path)
    assert problems == []
    assert [one.what for one in notes] == [
        "code: sweeper 0.1.0, commit 0123456789ab",
        "data: digits dddddddd, not compared: it isn't one of the published data sets",
        "searches: digits, cnn, no label noise, dataset.validation_fraction 0.1, 3 epochs",
    ]


def cut(runs):
    file = runs["sgd1"] / "metrics.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    change_record(runs["sgd1"], result__epochs_done=2, result__steps=40, result__final_test_accuracy=0.91)
    change_record(runs["sgd1"], result__final_train_loss=0.5, result__train_seconds=1.0)
    rename_content(runs["sgd1"])


def no_time(runs):
    rewrite(runs["sgd1"], train_seconds=(2, 0.0))
    change_record(runs["sgd1"], result__train_seconds=1.0)


def other_name(runs):
    runs["sgd1"].rename(runs["sgd1"].with_name(runs["sgd1"].name.replace("seed1", "seed7")))


def other_schema(runs):
    change_record(runs["sgd1"], schema_version=99)


def copied_seed(runs):
    shutil.copy(runs["sgd1"] / "metrics.csv", runs["sgd2"] / "metrics.csv")
    for name in ("final", "best"):
        result = json.loads((runs["sgd1"] / "run.json").read_text())["result"]
        change_record(runs["sgd2"], **{f"result__{name}_test_accuracy": result[f"{name}_test_accuracy"]})


def copied_seed_with_other_times(runs):
    copied_seed(runs)
    rewrite(runs["sgd2"], train_seconds=(1, 0.6))
    change_record(runs["sgd2"], result__train_seconds=1.6)


def copied_directory(runs):
    shutil.copytree(runs["sgd1"], runs["sgd1"].parents[1] / "more" / runs["sgd1"].name)


def reused_seed(runs):
    for lr in (0.03, 0.1):
        shutil.rmtree(runs[f"tried{lr}"])
        make_trial(runs["sgd1"].parents[1], lr, 0.7 + lr, seed=2)


def chosen_by_test(runs):
    make_trial(runs["sgd1"].parents[1], 0.5, 0.97, seed=1, validated=False)
    for lr in (0.03, 0.1):
        shutil.rmtree(runs[f"tried{lr}"])


def other_setting(runs):
    for seed in (1, 2):
        change_record(runs[f"sgd{seed}"], config__optimizer__lr=0.03)
        name_as_configured(runs[f"sgd{seed}"])


def edited_choice(runs):
    outputs = runs["sgd1"].parents[1]
    choose([str(outputs)])
    file = outputs / "chosen.yaml"
    file.write_text(file.read_text().replace("lr: 0.1", "lr: 0.03"))


def diverged(runs):
    change_record(runs["sgd1"], status="diverged", result__final_test_accuracy=None, result__final_train_loss=None)
    change_record(runs["sgd1"], result__epochs_done=3)
    change_record(runs["sgd1"], config__epochs=30)
    name_as_configured(runs["sgd1"])


FORGERIES = {
    "final accuracy": (
        lambda runs: change_record(runs["sgd1"], result__final_test_accuracy=0.95),
        "metrics.csv is of another run: its last test_accuracy is 0.9, this run's 0.95",
    ),
    "best accuracy": (
        lambda runs: change_record(runs["sgd1"], result__best_test_accuracy=0.95),
        "best_test_accuracy is 0.95 in run.json and 0.91 by metrics.csv",
    ),
    "time": (
        lambda runs: change_record(runs["sgd1"], result__train_seconds=1.2),
        "train_seconds is 1.2 in run.json and 1.5 by metrics.csv",
    ),
    "another metrics.csv than named": (
        lambda runs: (
            rename_content(runs["sgd1"]),
            (runs["sgd1"] / "metrics.csv").write_text(
                (runs["sgd1"] / "metrics.csv").read_text().replace("0.8,", "0.7,")
            ),
        ),
        "metrics.csv isn't the file that the run wrote",
    ),
    "an accuracy above 1": (
        lambda runs: rewrite(runs["sgd1"], train_accuracy=(2, 1.2)),
        "metrics.csv, line 3: train_accuracy is 1.2; it must be a number from 0 to 1",
    ),
    "no time": (no_time, "an epoch has train_seconds of 0"),
    "no loss": (
        lambda runs: rewrite(runs["sgd1"], test_loss=(1, "nan")),
        "test_loss is missing or not finite at epoch 1",
    ),
    "no such epoch": (lambda runs: rewrite(runs["sgd1"], epoch=(1, 2)), "metrics.csv has the epochs 2.0 to 3.0"),
    "no such step": (lambda runs: rewrite(runs["sgd1"], step=(2, 10)), "metrics.csv has steps that don't rise"),
    "no row": (lambda runs: rewrite(runs["sgd1"], step=(2, "x")), "metrics.csv, line 3: isn't a row of metrics"),
    "fewer epochs": (cut, "has 2 epochs, its configuration asks for 3"),
    "no metrics": (lambda runs: (runs["sgd1"] / "metrics.csv").unlink(), "metrics.csv can't be read: No such file"),
    "no record": (lambda runs: (runs["sgd1"] / "run.json").write_text("{"), "run.json: not whole JSON"),
    "another schema": (other_schema, "of schema 99, this sweeper reads up to 1; update sweeper"),
    "another configuration": (
        lambda runs: change_record(runs["sgd1"], config__optimizer__lr=0.3),
        "run.json: of another run, digits-cnn/sgd-seed1-",
    ),
    "another name": (other_name, "its configuration is that of sgd-seed1-"),
    "unfinished": (lambda runs: change_record(runs["sgd1"], status="interrupted"), "is interrupted"),
    "not diverged": (diverged, "is diverged, but its loss is finite at its last epoch, 3 of 30"),
    "uncommitted": (
        lambda runs: change_record(runs["sgd1"], environment__commit="0123456789ab-dirty"),
        "its code had uncommitted changes (0123456789ab-dirty)",
    ),
    "other data": (
        lambda runs: change_record(runs["sgd1"], environment__data_digest="e" * 64),
        "its digits has another content than that of most runs here (dddddddd)",
    ),
    "no data": (
        lambda runs: change_record(runs["sgd1"], environment__data_digest=None),
        "its record has no hash of the data's content",
    ),
    "a seed copied": (copied_seed, "its metrics are those of "),
    "a seed copied with other times": (copied_seed_with_other_times, "its metrics are those of "),
    "a directory copied": (copied_directory, "is the same run as "),
    "a seed of the search": (
        reused_seed,
        "seed 2 served the search (digits, cnn, no label noise, dataset.validation_fraction 0.1, 3 epochs) and the ",
    ),
    "chosen by test": (chosen_by_test, "sgd with several settings and no validation images, so test accuracy chooses"),
    "not what was chosen": (other_setting, "has lr=0.03, the search's validation images chose lr=0.1"),
    "choice edited": (edited_choice, "isn't what the trials' validation accuracies choose"),
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forgery_is_reported(tmp_path, kind):
    forge, told = FORGERIES[kind]
    forge(make_folder(tmp_path))
    _, problems = found(tmp_path)
    assert len(problems) == 1 and told in problems[0].what and problems[0].advice, problems


def test_what_a_reader_should_know_is_a_note(tmp_path):
    runs = make_folder(tmp_path)
    change_record(runs["sgd1"], environment__host="mine", environment__commit="abcdefabcdef")
    change_record(runs["sgd2"], environment__commit=None)
    change_record(runs["adam1"], environment__device="cuda", environment__precision="bf16")
    make_run(tmp_path, "diverged", seed=3, accuracy=0.3, dataset__loader=LOADER, environment={"commit": "0123456789ab"})
    choose([str(tmp_path)], str(tmp_path / "choice"))
    notes, problems = found(tmp_path)
    said = [one.what for one in notes]
    assert problems == []
    assert "its record names the machine; record_host=false leaves that out" in said
    code = "code: sweeper 0.1.0, commit 0123456789ab (5); sweeper 0.1.0, commit abcdefabcdef (1); "
    assert f"{code}sweeper 0.1.0, commit not recorded (1)" in said
    assert "trained on: cpu, fp32 (6), cuda, bf16 (1)" in said
    assert "can't be checked, the trials of one search must lie below its folder" in said
