"""Newcomers are tuned first by the field's protocol, in a folder of their own, and the choice is compared."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from forked_children import run_all_forked
from json_schema import check
from made_runs import make_field

from sweeper.config.grid import compose_grid
from sweeper.datasets.here import ImagesHere
from sweeper.decide import tuned
from sweeper.decide.field import read_field
from sweeper.decide.newcomer import read_newcomers
from sweeper.decide.tuned import describe_tuning, plan_tunings, read_chosen, take_tune, tune, tune_all
from sweeper.system.errors import BadInput

TASK = ("dataset=digits", "dataset.train_limit=300", "model=mlp", "epochs=1")
HERE = ("device=cpu", "device.threads=1", "hydra/launcher=basic")


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    folder = tmp_path_factory.mktemp("field")
    make_field(folder, *TASK, "device=cpu", "optimizer=adam,lion", "seed=2,4", "batch_size=50")
    return read_field(str(folder), [])


@pytest.fixture(scope="module")
def planned(field):
    return plan(field, "optimizer=sgd")[0]


def plan(field, *words):
    return plan_tunings(read_newcomers([*words], field, 2, untuned=True), field)


def test_the_tuning_has_the_fields_protocol_and_a_folder_beside(field):
    words = (
        "optimizer=sgd",
        "optimizer.lr=0.3",
        *HERE,
        "rerun=false",
        "dataset.validation_fraction=0.0",
        "outputs=a/b",
    )
    (one,) = plan(field, *words)
    grid = compose_grid(one.words)
    assert len(grid.cells) == 9 and {cell.config["seed"] for cell in grid.cells} == {101}
    assert sorted({cell.config["optimizer"]["lr"] for cell in grid.cells}) == [0.09486, 0.3, 0.9486]
    config = grid.cells[0].config
    assert (config["batch_size"], config["dataset"]["train_limit"]) == (50, 300)
    assert config["dataset"]["validation_fraction"] == 0.1 and not config["rerun"]
    assert grid.outputs == one.folder and one.folder.parts[:2] == ("a", "b-tuning")
    assert one.plan(grid.outputs.parents[1] / "b")["runs"] == f"../b-tuning/{one.folder.name}"
    assert one.placing == ["hydra/launcher=basic"]
    for said in ("lr ×0.3162, 1, 3.162 and decay ×0.3162, 1, 3.162,", "4 times at most", "seed 101", "102 and 103"):
        assert said in one.rule()


def test_each_arm_is_tuned_by_itself(field):
    """Arms of one optimizer have other values that stay, and so other folders."""
    arms = ("--arm", "a: optimizer=sgd optimizer.weight_decay=0", "--arm", "b: optimizer=sgd optimizer.momentum=0.8")
    first, second = plan(field, *arms, *HERE)
    assert (first.name, list(first.axes)) == ("a", ["lr_factor"]) and len(second.axes) == 2
    assert first.folder.parent == second.folder.parent and first.folder != second.folder
    assert {cell.config["optimizer"]["momentum"] for cell in compose_grid(second.words).cells} == {0.8}


def test_what_was_chosen_stands_for_what_is_typed(field):
    asked = read_newcomers(["optimizer=sgd", "optimizer.lr=0.3"], field, 2, {"sgd": {"lr": 5e-05}})
    assert asked.cells["sgd"][2].config["optimizer"]["lr"] == 5e-05
    assert [word for word in asked.common if word.startswith("optimizer.lr")] == ["optimizer.lr=5e-05"]
    arms = ["--arm", "a: optimizer=sgd optimizer.lr=0.3 optimizer.momentum=0.8", "--arm", "b: optimizer=sgd"]
    asked = read_newcomers(arms, field, 2, {"a": {"lr": 0.1, "weight_decay": 0.002}, "b": {"lr": 1.0}})
    values = {name: by_seed[4].config["optimizer"] for name, by_seed in asked.cells.items()}
    assert [values["a"][name] for name in ("lr", "weight_decay", "momentum")] == [0.1, 0.002, 0.8]
    assert values["b"]["lr"] == 1.0


def test_values_of_the_field_may_be_tuned(field):
    assert plan(field, "optimizer=adam")[0].name == "new adam"


BAD = {
    ("tune=maybe",): "tune=maybe: must be tune=true or tune=false",
    ("tune=false", "tune=true"): "tune is given twice: tune=false tune=true; give one",
    ("tune=true", "lr_factor=2"): "lr_factor=2: tune=true tunes by experiment=tune as it is",
    ("+tune=true", "experiment=quick"): "experiment=quick: tune=true",
    ("tune=true", "hydra.sweeper.extensions=9"): "hydra.sweeper.extensions=9: tune=true",
}


@pytest.mark.parametrize("words", BAD)
def test_what_changes_the_tuning_is_refused_in_a_line(words):
    with pytest.raises(BadInput) as refused:
        take_tune(words)
    assert str(refused.value).startswith(BAD[words]) and "\n" not in str(refused.value)


def test_words_without_tune():
    assert take_tune(["optimizer=sgd", "lr_factor=2"]) == (False, ["optimizer=sgd", "lr_factor=2"])
    assert take_tune(["optimizer=sgd", "tune=True"]) == (True, ["optimizer=sgd"])


def test_an_arm_that_changes_it_and_a_field_with_its_seeds_are_refused(field):
    with pytest.raises(BadInput, match="arm 'a': lr_factor=2: tune=true tunes"):
        plan(field, "--arm", "a: optimizer=sgd lr_factor=2")
    with pytest.raises(BadInput, match="its seed 103 is one of the tuning's, so it can't judge"):
        plan(replace(field, seeds=(2, 103)), "optimizer=sgd")


@pytest.mark.parametrize("one_axis", [False, True])
def test_a_grid_of_one_axis_is_confirmed_once(planned, monkeypatch, one_axis):
    asked = []
    monkeypatch.setattr(tuned, "carry_out_search", lambda *words, **more: asked.append((words, more)) or 130)
    axes = dict(list(planned.axes.items())[: 1 if one_axis else 2])
    here = ImagesHere()
    assert tune(replace(planned, axes=axes), here) == 130, "and nothing is chosen"
    assert asked == [((planned.words, planned.placing), {"once": one_axis, "here": here})]


def test_a_trial_that_was_trained_again_is_told(planned, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(tuned, "carry_out_search", lambda *words, **more: 0)
    monkeypatch.setattr(tuned, "read_search", lambda folders: ("the search", ["1 repeat of these runs"]))
    monkeypatch.setattr(tuned, "write_choice", lambda task, folder: None)
    assert tune(replace(planned, folder=tmp_path), ImagesHere()) == 0
    assert capsys.readouterr().err == "1 repeat of these runs\n"


def test_each_tuning_that_is_left_is_checked_before_any_goes_on(field, tmp_path, monkeypatch):
    """Another may be begun, or finished; what is known of the images goes along."""
    arms = ("--arm", "a: optimizer=sgd", "--arm", "b: optimizer=adan", *HERE, f"outputs={tmp_path / 'own'}")
    newcomers, here = read_newcomers(arms, field, 2, untuned=True), ImagesHere(field.data)
    first, second = plan_tunings(newcomers, field)
    make_field(first.folder, *first.words[1:-1], data="d" * 64)
    read, asked = [], []
    monkeypatch.setattr(tuned, "carry_out_search", lambda *words, **more: asked.append(more["here"]) or 130)
    monkeypatch.setattr(here, "hash", lambda config: read.append(config["optimizer"]["name"]) or "e" * 8)
    for left in (["sgd", "adan"], ["adan"]):
        read.clear()
        with pytest.raises(BadInput, match=r"the images here are others \(hash e{8}, the field's d{8}\)"):
            tune_all([first, second], newcomers, {}, here)
        assert read == left and not asked
        (first.folder / "chosen.yaml").touch()
    (second.folder / "chosen.yaml").parent.mkdir(parents=True)
    (second.folder / "chosen.yaml").touch()
    assert tune_all([first, second], newcomers, {}, here) == 130 and asked == [here]


def test_the_choice_is_read_with_how_it_was_made(planned, tmp_path):
    one = replace(planned, folder=tmp_path)
    for text in ("sgd:\n  lr: fast\n", "adam:\n  lr: 0.1\n", "[", "sgd: 1"):
        (tmp_path / "chosen.yaml").write_text(text)
        with pytest.raises(BadInput, match="doesn't have the choice of sgd; the same command goes on"):
            read_chosen(one)
    (tmp_path / "chosen.yaml").rename(tmp_path / "other.yaml")
    (tmp_path / "chosen.yaml").mkdir()
    with pytest.raises(BadInput, match=r"chosen\.yaml: can't be read: Is a directory"):
        read_chosen(one)
    (tmp_path / "chosen.yaml").rmdir()
    text = "# a title: it\nsgd:  # 98 %, the best of 9 trials\n  lr: 5.0e-05{}\n  weight_decay: 0.0\n"
    (tmp_path / "chosen.yaml").write_text(text.format(""))
    assert read_chosen(one) == {"values": {"lr": 5e-05, "weight_decay": 0.0}, "chosen": "98 %, the best of 9 trials"}
    (tmp_path / "chosen.yaml").write_text(text.format("  # the lowest tried: a better one may lie beyond"))
    assert read_chosen(one)["chosen"].endswith("; on the edge of its grid, so a better one may lie beyond")


def test_the_last_sentence_says_how_the_field_was_tuned(field, planned):
    asked = read_newcomers(["optimizer=sgd"], field, 2)
    said = {}
    for told in ("", "1 epoch", "9 epochs"):
        other = replace(asked, field=replace(field, task=replace(field.task, tuned=told)))
        said[told] = describe_tuning([planned], other)
    assert said[""] == "sgd was tuned at 1 epoch; the field's records don't say how its optimizers were."
    assert said["1 epoch"].startswith("sgd was tuned at 1 epoch, the field too; its records don't have its space")
    assert "the field at 9 epochs;" in said["9 epochs"] and describe_tuning([], asked) == ""


@pytest.mark.slow
def test_a_newcomer_is_tuned_and_compared_and_ctrl_c_loses_nothing(tmp_path):
    from sweeper.datasets.data import load_run_data

    task = (*TASK, "device=cpu", "optimizer=adam,lion", "seed=2,4")
    make_field(tmp_path / "field", *task, data=load_run_data(compose_grid(["-m", *task]).cells[0].config).digest)
    words = ("against=field", "optimizer=sgd", "optimizer.weight_decay=0", "tune=true", *HERE)
    command = [sys.executable, "-m", "sweeper.decide", *words]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
        deadline = time.monotonic() + 300
        while not any(tmp_path.glob("outputs-tuning/*/*/*/metrics.csv")):
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, (tmp_path / "log").read_text()
    assert not (tmp_path / "outputs" / "decision.json").exists()
    done = run_all_forked("decide", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    _rule, _field, first, chosen, *_looks, answer = done.stdout.splitlines()
    assert first.startswith("sgd: tuned first by experiment=tune: lr ×0.3162, 1, 3.162, extended while the best lies ")
    assert chosen.startswith("sgd: tuned to lr ") and "with seeds 102 and 103, the best of 2 run again" in chosen
    assert "sgd was tuned at 1 epoch; the field's records don't say how its optimizers were." in answer
    document = json.loads((tmp_path / "outputs" / "decision.json").read_text())
    check("decision", document)
    values = document["tuned"]["sgd"]["values"]
    records = [json.loads(path.read_text())["config"] for path in tmp_path.glob("outputs/*/*/run.json")]
    assert {(c["optimizer"]["lr"], c["optimizer"]["weight_decay"], c["seed"]) for c in records} == {
        (values["lr"], 0, 2),
        (values["lr"], 0, 4),
    }
    assert {c["dataset"]["validation_fraction"] for c in records} == {0.0}
    tunings = {path: path.stat().st_mtime_ns for path in tmp_path.glob("outputs-tuning/*/*/*/run.json")}
    assert len(tunings) >= 7  # a grid of one axis, and two settings with two seeds
    assert "sgd: tuned first by " in (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")
    again = run_all_forked("decide", *words, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.splitlines()[-1] == answer == document["answer"]
    assert {path: path.stat().st_mtime_ns for path in tunings} == tunings
