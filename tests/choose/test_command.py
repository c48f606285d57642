"""`python -m sweeper.choose` and the whole way by command lines: tune, confirm, write, compare."""

import json
import os
import re
import shlex
import shutil
import signal

import pytest
import yaml
from conftest import REPOSITORY, run_module
from forked import start
from forked_children import run_all_forked

import sweeper.choose.__main__ as module
from sweeper.choose.command import main
from sweeper.config.grid import compose_grid
from tests.choose.test_choice import make_trial

TINY = ("dataset=digits", "model=mlp", "dataset.train_limit=300", "epochs=1", "device=cpu", "device.threads=1")
TINY += ("hydra/launcher=basic",)
TUNE = ("experiment=tune", "optimizer=sgd,muon", "lr_factor=0.03162,0.1,0.3162", "hydra.sweeper.extensions=1")


def test_overrides_are_for_the_confirmation(capsys):
    assert main(["device=cpu"]) == 2
    assert capsys.readouterr().err == "error: device=cpu: overrides are for the runs of --confirm N\n"


def test_a_folder_of_choices_is_for_a_confirmation_or_a_preset(tmp_path, capsys):
    assert main(["search", "--config-dir", str(tmp_path)]) == 2
    said = f"error: --config-dir {tmp_path}: is for --confirm N and --write DIR; leave it out\n"
    assert capsys.readouterr().err == said
    assert main(["search", "--write", "new", "--config-dir", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"error: --config-dir {tmp_path}/none: there is no such folder\n"


def test_a_trial_that_was_trained_again_is_told(tmp_path, capsys):
    """Of the two the one in `outputs` counts, in whatever order the folders are named."""
    for folder, accuracies in (("outputs", (0.7, 0.8)), ("repeated", (0.9,))):
        for lr, accuracy in zip((0.1, 0.2), accuracies, strict=False):
            make_trial(tmp_path / folder, accuracy, 0.5, optimizer__lr=lr)
    outputs, repeated, into = (str(tmp_path / name) for name in ("outputs", "repeated", "into"))
    assert main([outputs, "--into", into]) == 0
    chosen = capsys.readouterr()
    assert chosen.err == "" and yaml.safe_load(chosen.out)["sgd"]["lr"] == 0.2
    said = "1 repeat has another result: of each run the one with the earlier start counts, and repeats "
    for folders in ((outputs, repeated), (repeated, outputs)):
        assert main([*folders, "--into", into]) == 0
        assert capsys.readouterr() == (chosen.out, f"{said}enter nothing\n")


def test_the_choices_of_another_folder_are_known_and_its_names_are_seen(tmp_path, capsys):
    """A search with `--config-dir own` of an optimizer that lies there, and a preset that is written elsewhere."""
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    (tmp_path / "own" / "experiment" / "study.yaml").write_text("# @package _global_\nepochs: 3\n")
    shutil.copytree(REPOSITORY / "conf" / "optimizer", tmp_path / "own" / "optimizer")
    (tmp_path / "own" / "optimizer" / "sgd.yaml").rename(tmp_path / "own" / "optimizer" / "slow.yaml")
    for k, lr in enumerate((0.1, 0.2)):
        make_trial(tmp_path / "outputs", 0.9 - k / 10, 0.9, optimizer="slow", optimizer__lr=lr)
    write = [str(tmp_path / "outputs"), "--write", str(tmp_path / "new")]
    own = ["--config-dir", str(tmp_path / "own")]
    assert main([*write, *own, "--name", "study"]) == 2
    assert f"--name study: there is a data set or a preset of this name in {tmp_path}/own;" in capsys.readouterr().err
    assert main(write) == 2
    assert "has no file of the optimizer 'slow'" in capsys.readouterr().err
    assert main([*write, *own]) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    cells = compose_grid(command[3:]).cells
    assert {(c.config["optimizer"]["name"], c.config["optimizer"]["lr"]) for c in cells} == {("slow", 0.1)}


@pytest.mark.parametrize("words", [["--name", "mine"], ["--replace"]])
def test_what_is_of_a_preset_alone_is_refused_without_one(words, capsys):
    assert main(["search", *words]) == 2
    said = f"error: {words[0]}: is of the preset that --write DIR writes; add --write DIR or leave it out\n"
    assert capsys.readouterr().err == said


def test_a_confirmation_ends_with_the_command_that_asked_for_it(monkeypatch):
    """As `sweeper.decide`, which may be killed while the best are run again."""
    said = []
    monkeypatch.setattr(module, "end_with_command", lambda: said.append("bound"))
    monkeypatch.setattr(module, "run_command", said.append)
    module.main()
    assert said == ["bound", "sweeper.choose.command"]


@pytest.mark.parametrize(
    "words",
    [
        ["search", "--confirm", "2", "--into", "mine", "hydra/launcher=packed", "device=cpu"],
        ["--confirm=2", "hydra/launcher=packed", "--into", "mine", "search", "device=cpu"],
        ["hydra/launcher=packed", "device=cpu", "outputs=search", "--confirm", "2"],
    ],
)
def test_folders_and_overrides_stand_anywhere_among_the_options(words, monkeypatch):
    asked = []
    monkeypatch.setattr("sweeper.choose.confirm.confirm", lambda *given, **more: asked.append(given) or 3)
    assert main(words) == 3
    ((outputs, most, overrides, *_),) = asked
    assert (outputs, most, overrides) == (["search"], 2, ["hydra/launcher=packed", "device=cpu"])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            1,
            "the confirmation ended with exit code 1, so nothing is chosen; the same command goes on\n",
        ),  # a run failed
        (137, "the confirmation ended with exit code 137, so nothing is chosen; the same command goes on\n"),
        (143, "interrupted in the confirmation; the same command goes on\n"),
        (2, ""),
    ],
)
def test_a_confirmation_that_is_not_whole_chooses_nothing(tmp_path, monkeypatch, capsys, code, said):
    """Else the preset of half of it would be in the way of the whole one's."""
    for k, lr in enumerate((0.1, 0.2)):
        make_trial(tmp_path / "outputs", 0.9 - k / 10, 0.9, optimizer__lr=lr)
    before = set(tmp_path.rglob("*"))
    monkeypatch.setattr("sweeper.choose.confirm.confirm", lambda *given, **more: code)
    monkeypatch.setattr("sweeper.choose.confirm.is_whole", lambda outputs: False)
    words = [str(tmp_path / "outputs"), "--confirm", "2", "--write", str(tmp_path / "mine")]
    assert main(words) == code
    assert capsys.readouterr() == ("", said) and set(tmp_path.rglob("*")) == before
    monkeypatch.setattr("sweeper.choose.confirm.is_whole", lambda outputs: True)
    assert code != 1 or (main(words) == 1 and (tmp_path / "mine" / "experiment" / "tuned.yaml").exists())


def test_a_signal_before_or_after_the_confirmation_ends_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sweeper.choose.choice.choose", lambda *given: os.kill(os.getpid(), signal.SIGTERM))
    assert main([str(tmp_path)]) == 143
    assert capsys.readouterr().err == "interrupted; the same command goes on\n"


@pytest.mark.slow
def test_tune_confirm_write_and_compare(tmp_path):
    """Each command again answers from disk. A word on the command line counts more than the preset."""
    done = run_all_forked("train", "-m", *TUNE, *TINY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\nmuon: best on the edge, lr ×0.3162, decay ×" in done.stderr and "extended by lr ×1" in done.stderr
    assert re.search(r"^muon, lr [\d.]+, decay ×1: completed, validation ", done.stderr, re.MULTILINE)
    assert done.stdout.startswith("Best by validation accuracy: ") and "adamw_lr" not in done.stdout
    runs = len(list(tmp_path.rglob("run.json")))
    assert runs > 18
    choice = ("choose", "--confirm", "2", "--write", "mine", "hydra/launcher=basic")
    stopped = start(*choice, cwd=tmp_path, log=tmp_path / "log")
    while not list(tmp_path.glob("outputs/*/*-seed102-*/run.json")):
        assert stopped.wait(0.01) is None, stopped.text
    os.kill(stopped.pid, signal.SIGTERM)
    assert stopped.wait(60) == 143 and "0 of 8 runs done already" in stopped.text
    assert stopped.text.endswith("\ninterrupted in the confirmation; the same command goes on\n"), stopped.text
    assert not (tmp_path / "mine").exists() and not (tmp_path / "outputs" / "chosen.yaml").exists()
    chosen = run_module(*choice, cwd=tmp_path)
    assert (chosen.returncode, " of 8 runs done already" in chosen.stderr) == (0, True), chosen.stderr
    assert "with seeds 102 and 103, the best of 2 run again" in chosen.stdout
    again = run_all_forked(*choice, cwd=tmp_path)
    assert again.stdout == chosen.stdout and "8 of 8 runs done already" in again.stderr
    assert len(list(tmp_path.rglob("run.json"))) == runs + 8
    assert chosen.stdout.splitlines()[-1].endswith("sweeper.train -m --config-dir mine experiment=tuned")
    preset = ("--config-dir", "mine", "experiment=tuned", *TINY, "seed=1,2", "outputs=compared")
    compared = run_all_forked("train", *preset, cwd=tmp_path)
    assert compared.returncode == 0 and ", tuned at 1 epoch: test accuracy" in compared.stdout, compared.stderr
    values = yaml.safe_load((tmp_path / "outputs" / "chosen.yaml").read_text())
    for file in tmp_path.glob("compared/**/run.json"):
        config = json.loads(file.read_text())["config"]
        assert re.fullmatch("1 epoch on images [0-9a-f]{8}", config["tuned"]) and config["seed"] in (1, 2)
        assert config["optimizer"] | values[config["optimizer"]["name"]] == config["optimizer"]
    assert "tuned at 1 epoch, chosen by validation images" in (tmp_path / "compared" / "report.html").read_text()
