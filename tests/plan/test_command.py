"""`sweeper.plan` through its command line: what is counted, what is reckoned from given timings, and a real probe."""

import functools
import json
import subprocess
import sys
import types
from dataclasses import replace

import pytest
from made_runs import make_rows

from sweeper.config import grid as compose
from sweeper.config import resolvers
from sweeper.config.grid import compose_grid
from sweeper.datasets.facts import MADE
from sweeper.plan import forecast
from sweeper.plan.command import main
from sweeper.plan.probe import Probed
from sweeper.plan.speeds import load_speeds
from sweeper.plan.timing import Timing
from sweeper.runs.directory import RunDirectory
from sweeper.runs.metrics import read_metrics
from sweeper.train import threads
from sweeper.train.launchers.joblib import Joblib
from sweeper.train.launchers.slurm import Slurm

GRID = ("-m", "dataset=digits", "optimizer=sgd,adam", "seed=1,2", "epochs=10", "save_model=true")


def timing(train: float = 1.0, other: float = 0.5, **changes: object) -> Timing:
    values = {"setup_seconds": 2.0, "first_seconds": 0.0, "images": 1438, "image": (1, 8, 8), "memory_bytes": 10**9}
    values |= {"weights_bytes": 10**6, "checkpoint_bytes": 3 * 10**6, "part": 1.0, "data": "made"}
    return Timing(train_seconds=train, other_seconds=other, **{**values, **changes})


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys):
    """`plan(*arguments, kind="cpu", …) -> (code, document or text)`: every epoch takes 1 s of training and 0.5 s of
    evaluation, starting a process 4 s, reading the command line nothing; `asked` notes what was to be timed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sweeper.plan.command.time", types.SimpleNamespace(perf_counter=lambda: 0.0))
    monkeypatch.setattr(threads, "cores", lambda: 4)

    def call(*arguments, kind="cpu", jobs=2, text=False, data="digits", **found):
        asked = []

        def probe(configs, at_a_time, threads, seconds, pack):
            asked.append((len(configs), at_a_time, threads, pack))
            timings = [timing(data=data) for _ in configs]
            return Probed(kind, "device: a device", 2.0, 3.0, 1.0, found.pop("gpus", 0), timings, **found)

        monkeypatch.setattr(forecast, "probe", probe)
        monkeypatch.setattr("sweeper.system.machine.probe_kind", lambda: kind)
        for reader in (forecast, resolvers):
            monkeypatch.setattr(reader, "parallel_runs", lambda kind, threads: jobs)
        code = main([*([] if text else ["--json"]), *arguments])
        out, error = capsys.readouterr()
        call.asked = asked
        return code, out if text else json.loads(out) if out else error

    return call


def launcher(document, name):
    return next(way for way in document["launchers"] if way["launcher"] == name)


def test_a_sweep_is_counted_and_reckoned(plan):
    code, document = plan(*GRID)
    assert code == 0
    counts = [document[key] for key in ("runs", "done", "half_done", "to_do", "epochs", "epochs_left")]
    assert counts == [4, 0, 0, 4, 40, 40]
    run = 2.0 + forecast.HYDRA_SECONDS + 10 * 1.5
    tables = forecast.TABLES * 2.0  # as long as importing torch takes, not the device's start nor reading the data
    assert document["once_seconds"] == {
        "composing": 0.0, "starting": 3.0, "reading": 1.0, "first_of_a_kind": 0.0, "tables": tables,
    }  # fmt: skip
    assert document["work"][0]["setup_seconds"] == {"1": 2.0, "2": 2.0}
    basic, local = launcher(document, "basic"), launcher(document, "local")
    assert basic["seconds"] == pytest.approx(4 + 4 * run + tables) and basic["at_a_time"] == 1
    assert basic["seconds"] - local["seconds"] == pytest.approx(2 * run - 4.0)  # its workers start once more
    assert document["launchers"][0]["launcher"] == "local" and local["chosen"] and not basic["chosen"]
    # Two kinds of run are timed, alone with all cores, and two at a time with half of them each.
    assert plan.asked == [(2, 1, 4, 4), (2, 2, 2, 0)]


def test_what_the_first_run_of_a_kind_takes_more_counts_once(plan, monkeypatch):
    before = launcher(plan(*GRID)[1], "basic")["seconds"]
    monkeypatch.setitem(globals(), "timing", functools.partial(timing, first_seconds=7.0))
    assert launcher(plan(*GRID)[1], "basic")["seconds"] - before == pytest.approx(2 * 7.0)  # two optimizers


def test_presets_are_taken_as_train_takes_them(plan):
    code, document = plan("experiment=grid", "dataset=digits")
    assert (code, document["runs"], document["epochs"]) == (0, 15, 300)
    assert {work["optimizer"]: work["runs"] for work in document["work"]} == dict.fromkeys(
        ("sgd", "adam", "adamw", "lion", "muon"), 3
    )


def test_what_differs_in_numbers_alone_is_timed_once(plan):
    _, document = plan("experiment=tune", "dataset=digits")
    assert document["runs"] == 45 and len(document["work"]) == 5
    _, document = plan("-m", "dataset=digits", "batch_size=32,64", "noise=none,symmetric")
    assert document["runs"] == len(document["work"]) == 4


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
    _, every = plan(*GRID, "checkpoint_every=5")  # a killed run has lost what came after its last checkpoint
    assert every["epochs_left"] == 3 + 10 + 10
    _, again = plan(*GRID, "rerun=true")
    assert again["done"] == 0 and again["to_do"] == 2


def test_what_fits_in_a_time(plan):
    run = 2.0 + forecast.HYDRA_SECONDS + 10 * 1.5
    for seconds, runs in ((4 + 6 + 2.5 * run, 2), (1000, 4)):
        _, document = plan(*GRID, "--within", f"{seconds}s", jobs=1)
        basic = launcher(document, "basic")
        assert basic["fit"] == runs and (runs < 4) == (basic["epochs_that_fit"] < 10)


def test_a_gpu_packs_runs_and_several_share_them_out(plan):
    _, one = plan(*GRID, kind="cuda", jobs=1, gpus=1, lanes=3, gain=2.0)
    assert plan.asked == [(2, 1, 4, 4)]  # and the trial of lanes is asked for
    packed, basic = launcher(one, "packed"), launcher(one, "basic")
    assert packed["at_a_time"] == 3
    assert basic["seconds"] - packed["seconds"] == pytest.approx(4 * 10 * 0.5)  # training alone gains
    _, two = plan(*GRID, kind="cuda", jobs=1, gpus=2, lanes=3, gain=2.0)
    assert launcher(two, "packed")["at_a_time"] == 6
    run = 2.0 + forecast.HYDRA_SECONDS + 10 * 1.0
    assert packed["seconds"] - launcher(two, "packed")["seconds"] == pytest.approx(2 * run)


def test_the_launcher_asked_for_is_the_one_reckoned(plan):
    _, document = plan(*GRID, "hydra/launcher=joblib", "hydra.launcher.n_jobs=3")
    assert launcher(document, "joblib")["chosen"] and launcher(document, "joblib")["at_a_time"] == 3
    assert plan.asked[1] == (2, 3, 1, 0)
    _, document = plan(*GRID, "hydra/launcher=packed")
    assert launcher(document, "packed")["chosen"] and not launcher(document, "local")["chosen"]
    assert document["not_reckoned"] is None


def test_a_launcher_of_other_machines_is_not_passed_over_in_silence(plan, monkeypatch):
    """As if Slurm's launcher were installed, which the extra `slurm` brings."""
    monkeypatch.setattr("sweeper.train.launchers.slurm._is_installed", lambda: True)
    options = {"_target_": Slurm.target, "timeout_min": 60}
    asked = {"launcher": "slurm", "launcher_options": options}
    monkeypatch.setattr(compose, "compose_grid", lambda *words: replace(compose_grid(*words), **asked))
    _, document = plan(*GRID)
    assert document["not_reckoned"] == "slurm" and not any(way["chosen"] for way in document["launchers"])
    _, text = plan(*GRID, text=True)
    assert "hydra/launcher=slurm isn't reckoned: these times are this machine's, without it\n" in text


def test_a_launcher_of_the_users_is_reckoned_by_what_it_says(plan, tmp_path):
    """A YAML of theirs for joblib's class counts as joblib, under its own name."""
    (tmp_path / "mine" / "hydra" / "launcher").mkdir(parents=True)
    (tmp_path / "mine" / "hydra" / "launcher" / "three.yaml").write_text(f"_target_: {Joblib.target}\nn_jobs: 3\n")
    _, document = plan("--config-dir", str(tmp_path / "mine"), *GRID, "hydra/launcher=three")
    assert launcher(document, "three")["chosen"] and launcher(document, "three")["at_a_time"] == 3
    assert document["not_reckoned"] is None


def test_fewer_runs_than_places_have_the_threads_that_more_would_have(plan):
    _, document = plan("-m", "dataset=digits", "optimizer=sgd", "seed=1", jobs=4)
    assert plan.asked == [(1, 1, 1, 0), (1, 1, 4, 1)] and launcher(document, "local")["at_a_time"] == 1
    plan("-m", "dataset=digits", "optimizer=sgd", "seed=1,2", jobs=4)
    assert plan.asked == [(1, 1, 4, 2), (1, 2, 1, 0)]


def test_no_more_threads_than_cores_are_timed(plan):
    _, document = plan(*GRID, "hydra/launcher=joblib", "hydra.launcher.n_jobs=4", "device.threads=2")
    assert launcher(document, "joblib")["at_a_time"] == 2 and plan.asked == [(2, 1, 2, 4), (2, 2, 2, 0)]


def test_the_disk_holds_weights_and_checkpoints_or_it_is_said(plan, monkeypatch):
    code, document = plan(*GRID)
    assert document["disk"]["kept_bytes"] > 4 * 10**6 and document["disk"]["while_training_bytes"] == 2 * 2 * 3 * 10**6
    assert code == 0 and document["disk"]["enough"]
    without = plan(*GRID, "save_model=false")[1]["disk"]["kept_bytes"]
    assert document["disk"]["kept_bytes"] - without == 4 * 10**6
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 60 * 2**20}))
    code, document = plan(*GRID)
    assert code == 1 and not document["disk"]["enough"]


def test_other_devices_are_told_by_their_measured_speeds(plan, monkeypatch):
    _, document = plan(*GRID)
    assert [row["device"] for row in document["elsewhere"]] == ["2 cores of an AMD EPYC, one run at a time"]
    (speed,) = [s for s in load_speeds() if s.device == "2 cores of an AMD EPYC, one run at a time"]
    assert document["elsewhere"][0]["seconds"] == pytest.approx(40 * 1438 / speed.images_per_second)
    _, document = plan(*GRID, "model=mlp")
    assert document["elsewhere"] == []


def test_images_that_are_not_here_are_said_to_be_made(plan):
    _, text = plan("dataset=cifar10", text=True, data=f"{MADE}, 10 of them")
    assert "timed with made images: cifar10 isn't here yet\n" in text
    _, text = plan("-m", "dataset=mnist,cifar10", text=True, data=f"{MADE}, 10 of them")
    assert "timed with made images: cifar10, mnist aren't here yet\n" in text


def test_the_text_says_what_the_document_does(plan, monkeypatch):
    _, text = plan(*GRID, "--within=10h", text=True)
    assert text.startswith("4 runs in outputs/: 0 done, 0 half-done, 4 to do; 40 of 40 epochs left\non a device\n")
    lines = [line.split() for line in text.splitlines()]
    assert ["sgd", "2", "1.5", "1.5", "1,917", "1.0", "GB"] in lines  # two at a time are twice 1438 images in 1.5 s
    assert ["hydra/launcher=local", "2", "46", "s", "4", "runs", "the", "fastest,", "as", "asked", "for"] in lines
    assert "all of it fits in 10 h 0 min; from the beginning, " in text and "NOT ENOUGH" not in text
    assert "2 cores of an AMD EPYC, one run at a time" in text
    _, text = plan(*GRID, "--within=40s", text=True)
    assert "in 40 s: 2 of 4 runs, or all of them by epochs=8\n" in text
    _, text = plan(*GRID, "--within=12s", text=True)
    assert "in 12 s: 0 of 4 runs, and not all of them with even one epoch\n" in text
    _, text = plan("dataset=digits", "batch_size=32", text=True)
    assert text.startswith("1 run in outputs/") and "one run" in text and "hydra/launcher" not in text
    assert "these speeds are of batch_size=64" in text and MADE not in text
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 60 * 2**20}))
    assert "63 MB are free: NOT ENOUGH; make room" in plan(*GRID, text=True)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["optimizer=loin"], "optimizer=loin: there is no such optimizer; did you mean 'lion'?"),
        (["--within"], "--within needs a value: must be a time above 0"),
        (["--within=soon"], "--within soon: must be a time above 0, such as 5h"),
        (["--probe-seconds", "0"], "--probe-seconds 0: must be a number of seconds above 0"),
        (["--cfg", "job"], "--cfg: is for python -m sweeper.train"),
        (["--wihtin=5h"], "see python -m sweeper.plan --help"),
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
