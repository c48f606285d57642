"""The text says what the document does, and what is missing in it."""

import re
from dataclasses import replace

from sweeper.config import grid as compose
from sweeper.config.grid import compose_grid
from sweeper.datasets.facts import MADE
from sweeper.train.launchers.slurm import Slurm
from tests.plan.test_forecast import GRID


def test_the_text_says_what_the_document_does(plan, monkeypatch):
    _, text = plan(*GRID, "--within=10h", text=True)
    counted = "4 runs in outputs/: 0 done, 0 half-done, 4 to do; 40 of 40 epochs left"
    assert text.startswith(f"46 s with the default launcher\n{counted}\non a device\n")
    lines = [line.split() for line in text.splitlines()]
    assert ["sgd", "2", "1.5", "1.5", "1,917", "1.0", "GB"] in lines  # two at a time are twice 1438 images in 1.5 s
    assert ["hydra/launcher=local", "2", "46", "s", "4", "runs", "the", "fastest,", "as", "asked", "for"] in lines
    assert "all of it fits in 10 h 0 min; from the beginning, " in text and "NOT ENOUGH" not in text
    (elsewhere,) = [line for line in text.splitlines() if line.startswith("2 cores of an AMD EPYC, one run at a time")]
    assert " + start " in elsewhere
    _, text = plan(*GRID, "--within=40s", text=True)
    assert "in 40 s: 2 of 4 runs, or all of them by epochs=8\n" in text
    _, text = plan(*GRID, "--within=12s", text=True)
    assert "in 12 s: 0 of 4 runs, and not all of them with even one epoch\n" in text
    _, text = plan("dataset=digits", "batch_size=32", text=True)
    assert (
        re.match(r"\d+ s for the run\n1 run in outputs/", text) and "one run" in text and "hydra/launcher" not in text
    )
    assert "these speeds are of batch_size=64" in text and MADE not in text
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 60 * 2**20}))
    assert "63 MB are free: NOT ENOUGH; make room" in plan(*GRID, text=True)[1]


def test_what_is_estimated_and_what_packs_nothing_is_marked(plan):
    _, text = plan(*GRID, train=[1000.0, 2000.0], text=True)
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith(("sgd", "adam"))}
    assert rows["sgd"][2:5] == ["1,000", "2,000", "1"] and rows["adam"][2:5] == ["1,000", "~2,000", "~1"]
    assert "~ by another kind of the same model, since a few steps take long here\n" in text
    assert "as basic: it packs runs on NVIDIA GPUs alone" in text
    _, text = plan(*GRID, kind="cuda", jobs=1, gpus=1, lanes=2, gain=1.5, text=True)
    assert "~" not in text and "as basic" not in text


def test_arms_are_what_the_plan_shows(plan):
    arms = ("--arm", "plain: optimizer=sgd", "--arm", "undecayed: optimizer=sgd decay_norms_and_biases=false")
    words = ("-m", "dataset=digits", "seed=1,2", "epochs=10", *arms)
    _, document = plan(*words)
    assert [work["arms"] for work in document["work"]] == ["plain, undecayed"]
    (entry,) = document["seeds"]
    assert (entry["optimizers"], entry["noun"]) == (2, "arm")
    _, text = plan(*words, text=True)
    assert any(line.split()[:2] == ["arms", "optimizer"] for line in text.splitlines()) and "undecayed" in text


def test_of_a_tuning_the_first_grid_is_planned_and_extensions_come_on_top(plan):
    _, text = plan("experiment=tune", "dataset=digits", "optimizer=sgd", text=True)
    said = "a grid grows while its optimizer's best cell lies on the edge, 4 times at most"
    assert "\n9 runs in outputs/: " in text and f"\nextensions come on top: {said}\n" in text
    assert "extensions" not in plan(*GRID, text=True)[1]


def test_images_that_are_not_here_are_said_to_be_made(plan):
    _, text = plan("dataset=cifar10", text=True, data=f"{MADE}, 10 of them")
    assert "timed with made images: cifar10 isn't here yet\n" in text
    _, text = plan("-m", "dataset=mnist,cifar10", text=True, data=f"{MADE}, 10 of them")
    assert "timed with made images: cifar10, mnist aren't here yet\n" in text


def test_a_launcher_of_other_machines_is_not_passed_over_in_silence(plan, monkeypatch):
    """As if Slurm's launcher were installed, which the extra `slurm` brings."""
    monkeypatch.setattr("sweeper.train.launchers.slurm.is_installed", lambda package: True)
    options = {"_target_": Slurm.target, "timeout_min": 60}
    asked = {"launcher": "slurm", "launcher_options": options}
    monkeypatch.setattr(compose, "compose_grid", lambda *words: replace(compose_grid(*words), **asked))
    _, document = plan(*GRID)
    assert document["not_reckoned"] == "slurm" and not any(way["chosen"] for way in document["launchers"])
    _, text = plan(*GRID, text=True)
    assert re.match(r"\d+ s with the default launcher on this machine; slurm isn't reckoned\n", text)
    assert "hydra/launcher=slurm isn't reckoned: these times are this machine's, without it\n" in text
