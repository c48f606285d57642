"""`python -m sweeper.tune`: all steps in one command, which stops at the step that failed and goes on from disk."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from forked_children import run_all_forked
from made_runs import change_record

from sweeper.tune.command import main
from tests.tune.conftest import TASK, best_at

BOTH = (*TASK, "optimizer=sgd,lion")


def step(words):
    """Which step asked for these words."""
    if "experiment=tune" in words:
        return "search"
    return "comparison" if any(word.startswith("experiment=") for word in words) else "confirmation"


def test_each_step_once_and_again_from_disk(trainer, capsys):
    assert main([*BOTH]) == 0
    assert [step(words) for words in trainer.asked] == ["search", "confirmation", "comparison"]
    first, then, lion, sgd, last = capsys.readouterr().out.splitlines()
    assert first.startswith("search: 6 runs, 3 each of sgd, lion, seed 101;") and then.startswith(
        "confirmation: 8 runs"
    )
    assert lion.startswith("lion: tuned to lr 0.0005, weight_decay 1; 3 trials, 14 epochs; 2 run again with seeds 102")
    assert sgd.startswith("sgd: tuned to lr 0.1, ") and sgd.endswith("; inside the space")
    (folder,) = Path("outputs-tuning").iterdir()
    told = "settings chosen by validation images alone: lion after 3 trials, sgd after 3 trials; the tuning's page: "
    assert last == f"{told}{folder}/report.html"
    records = [json.loads(path.read_text()) for path in Path("outputs").glob("*/*/run.json")]
    configs = [record["config"] for record in records]
    assert {(c["optimizer"]["name"], c["optimizer"]["lr"]) for c in configs} == {("sgd", 0.1), ("lion", 0.0005)}
    assert {(c["seed"], c["dataset"]["validation_fraction"], c["tuned"]) for c in configs} == {
        (seed, 0, "2 epochs on images dddddddd") for seed in range(1, 6)
    }
    assert yaml.safe_load((folder / "presets" / "settings" / "tuned" / "sgd.yaml").read_text())["lr"] == 0.1
    assert (folder / "search.csv").is_file()
    before = len(list(Path().rglob("run.json")))
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*ml")}
    assert main([*BOTH]) == 0 and [step(words) for words in trainer.asked[3:]] == ["comparison"]
    again = capsys.readouterr().out.splitlines()
    assert again[0].startswith("search: 6 runs (6 done already), 3 each") and again[2:] == [lion, sgd, last]
    assert len(list(Path().rglob("run.json"))) == before
    assert {path: path.stat().st_mtime_ns for path in written} == written, "so the folder may be read-only by then"


def test_a_trial_that_was_trained_again_is_told(trainer, capsys):
    assert main([*BOTH]) == 0
    assert "repeat" not in capsys.readouterr().err
    (folder,) = Path("outputs-tuning").iterdir()
    run = next(folder.glob("*/sgd-seed101-*"))
    again = folder / "again" / run.parent.name / run.name
    shutil.copytree(run, again)
    change_record(again, result__final_test_accuracy=0.1)
    change_record(again, environment__started="2030-01-01T00:00:00Z")
    assert main([*BOTH]) == 0
    assert "\n1 repeat has another result: of each run the one with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        (1, 1, "the tuning ended with exit code 1, so nothing after it was begun; the same command goes on"),
        (2, 130, "interrupted in the tuning; the same command goes on"),
        (3, 143, "interrupted in the comparison; the same command goes on"),
        (3, 137, "the comparison ended with exit code 137, so nothing after it was begun; the same command goes on"),
        (3, 2, "confirmation: 2 settings with seeds 102 and 103, 0 of 4 runs done already"),  # that step said it itself
    ],
)
def test_the_exit_code_is_that_of_the_step_that_failed(trainer, capsys, call, code, said):
    trainer.codes = {call: code}
    assert main([*TASK, "optimizer=sgd"]) == code and len(trainer.asked) == call
    assert capsys.readouterr().err.splitlines()[-1] == said
    assert main([*TASK, "optimizer=sgd"]) == 0


@pytest.mark.parametrize(("call", "words"), [(2, ()), (3, ()), (4, ("--seeds", "7")), (4, ("--confirm", "3"))])
def test_other_images_than_the_searchs_are_refused_before_the_next_step(trainer, capsys, call, words):
    task = [*TASK, "optimizer=sgd", "lr_factor=0.01,0.1,0.3,1,3,10"]
    trainer.codes = {call: 130}
    assert main(task) in (0, 130)
    trained = len(trainer.asked)
    trainer.images = "e" * 64
    assert main([*task, *words]) == 2 and len(trainer.asked) == trained
    told = (
        "error: the images here are others (hash eeeeeeee) than the search's (hash dddddddd); put the search's back, "
    )
    assert capsys.readouterr().err.splitlines()[-1].startswith(told)


def test_runs_of_the_comparison_on_other_images_are_told(trainer, capsys):
    """They lay there before the tuning."""
    assert main([*TASK, "optimizer=sgd"]) == 0
    for run in Path("outputs").glob("*/*/run.json"):
        change_record(run.parent, environment__data_digest="e" * 64)
    assert main([*TASK, "optimizer=sgd"]) == 2
    told = (
        "was trained on other images (hash eeeeeeee) than the search (hash dddddddd); put the search's back, or begin"
    )
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_images_that_change_while_the_comparison_trains_are_told(trainer, monkeypatch, capsys):
    """The command has read them before."""
    known = trainer.images[:8]
    monkeypatch.setattr("sweeper.datasets.here.ImagesHere.hash", lambda self, config: known)

    def train(command, *more, **options):
        trainer.images = ("e" if step(command) == "comparison" else "d") * 64
        return trainer(command, *more, **options)

    for module in ("tune.search", "choose.confirm", "tune.command"):
        monkeypatch.setattr(f"sweeper.{module}.run", train)
    assert main([*TASK, "optimizer=sgd"]) == 2 and len(trainer.asked) == 3
    told = capsys.readouterr()
    assert "was trained on other images (hash eeeeeeee) than the search (hash dddddddd)" in told.err.splitlines()[-1]
    assert "settings chosen by validation images alone" not in told.out


def test_a_choice_on_the_edge_after_all_extensions_is_told(trainer, capsys):
    trainer.score = best_at(1000.0)
    assert main([*TASK, "optimizer=sgd", "hydra.sweeper.extensions=1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[2].endswith("; lr highest, on the edge: extend")
    assert ": sgd after 4 trials (lr highest, on the edge: extend); the tuning's page: " in out[-1]


def test_one_optimizer_of_two_that_were_tuned_is_compared_alone(trainer):
    assert main([*BOTH]) == 0 and main([*TASK, "optimizer=lion", "--seeds", "6"]) == 0
    assert [step(words) for words in trainer.asked[3:]] == ["comparison"]
    assert {"optimizer=lion", "seed=1,2,3,4,5,6"} <= set(trainer.asked[-1])
    (settings,) = Path("outputs-tuning").glob("*/presets/settings/tuned")
    assert {path.name for path in settings.iterdir()} == {"lion.yaml", "sgd.yaml"}, "another command may compare sgd"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["outputs=file"], "error: outputs=file: can't be read: Not a directory; choose another folder by outputs=DIR"),
        (
            ["--write", "file/x"],
            "error: --write file/x: can't be written: Not a directory; choose another folder",
        ),
    ],
)
def test_a_place_that_can_not_be_written_is_seen_before_the_search(trainer, tmp_path, capsys, words, said):
    (tmp_path / "file").touch()
    assert main([*TASK, "optimizer=sgd", *words]) == 2 and not trainer.asked
    assert capsys.readouterr().err.splitlines() == [said] and [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_preset_has_its_name_and_place_and_another_choice_is_kept(trainer, tmp_path, capsys):
    words = (*TASK, "optimizer=sgd", "--write", "mine", "--name", "own")
    assert main([*words]) == 0 and "experiment=own" in trainer.asked[-1]
    assert (tmp_path / "mine" / "experiment" / "own.yaml").exists()
    other = tmp_path / "mine" / "settings" / "own" / "sgd.yaml"
    other.write_text(other.read_text().replace("lr: 0.1", "lr: 0.7"))
    assert main([*words]) == 2 and "is of another choice" in capsys.readouterr().err.splitlines()[-1]
    trained = len(trainer.asked)
    assert main([*words, "batch_size=32"]) == 2 and len(trainer.asked) == trained  # a search of its own: said before it
    assert "is of another choice" in capsys.readouterr().err.splitlines()[-1]
    assert main([*words, "--replace"]) == 0 and "lr: 0.1" in other.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--confirm", "1"], "--confirm 1: must be an integer from 2 to 100"),
        (["--seeds=many"], "--seeds many: must be an integer from 1 to 1000"),
        (["--seeds", "2", "--seeds", "3"], "--seeds is given twice: 2 and 3; give one"),
        (["--confirm"], "--confirm: nothing is given; give a value, or leave it out"),
        (["--confrim", "3"], "unrecognized arguments: --confrim (did you mean --confirm?); see "),
        (["--seed", "3"], "unrecognized arguments: --seed (did you mean --seeds?); see "),
        (["--planet"], "unrecognized arguments: --planet (did you mean --plan?); see "),
        (["--plan=1"], "unrecognized arguments: --plan=1 (did you mean --plan?); see "),
        (["--cfg", "job"], "--cfg: is for "),
        (["--replace"], "--replace: is of the preset that --write DIR writes; add --write DIR or leave it out"),
        (["--config-dir", "nowhere"], "--config-dir nowhere: there is no such folder"),
    ],
)
def test_wrong_options_are_refused_in_a_line(words, said, capsys):
    assert main([*TASK, *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"error: {said}") and err.count("\n") == 1


@pytest.mark.slow
def test_the_whole_way_by_real_commands_and_ctrl_c_loses_nothing(tmp_path):
    words = ("dataset=digits", "model=mlp", "dataset.train_limit=300", "epochs=1", "device=cpu", "device.threads=1")
    words += ("optimizer=sgd,lion", "decay_factor=1", "hydra.sweeper.extensions=0", "hydra/launcher=basic", "--seeds=2")
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "sweeper.tune", *words], cwd=tmp_path, stdout=log, stderr=log)
        deadline = time.monotonic() + 300
        while not any(tmp_path.glob("outputs-tuning/*/*/*/run.json")):
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, (tmp_path / "log").read_text()
    assert (tmp_path / "log").read_text().endswith("interrupted in the tuning; the same command goes on\n")
    done = run_all_forked("tune", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    out = done.stdout.splitlines()
    answer = next(k for k, line in enumerate(out) if line == "page: outputs/report.html")
    assert re.search(r"lion|sgd", out[answer - 1]) and ", tuned at 1 epoch: test accuracy" in out[answer + 2]
    assert re.fullmatch(r"settings chosen by validation .*: lion after 3 trials( .*)?, sgd after 3 trials.*", out[-1])
    page = Path(tmp_path, out[-1].rpartition("the tuning's page: ")[2])
    assert page.is_file() and "tuned at 1 epoch" in (tmp_path / "outputs" / "report.html").read_text(encoding="utf-8")
    seeds = [json.loads(path.read_text())["config"]["seed"] for path in tmp_path.rglob("run.json")]
    assert {seed: seeds.count(seed) for seed in seeds} == {101: 6, 102: 4, 103: 4, 1: 2, 2: 2}
