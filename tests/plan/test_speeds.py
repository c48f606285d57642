"""`conf/speeds.yaml`: every speed has its source, names what exists, and gives the time it is meant to give."""

import csv

import pytest
from conftest import REPOSITORY

from sweeper.config.grid import CONF
from sweeper.plan.speeds import load_speeds, speeds_of


def test_every_entry_names_what_exists_and_its_source():
    for speed in load_speeds():
        assert (CONF / "model" / f"{speed.model}.yaml").is_file(), speed
        assert all((CONF / "optimizer" / f"{name}.yaml").is_file() for name in speed.optimizers), speed
        assert speed.images_per_second > 0 and len(speed.image) == 3
        assert speed.source.startswith("docs/performance.md"), speed


def test_the_speeds_of_the_h100_are_those_of_runs_alone():
    (h100,) = (s for s in speeds_of("resnet18", (3, 32, 32)) if s.device == "NVIDIA H100, one run at a time")
    file = REPOSITORY / "benchmarks" / "results" / "nvidia-h100-2026-11-27-alone.csv"
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 5
    page = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    assert file.name in page and "evaluation takes 0.074 s" in page
    for row in rows:
        epoch = float(row["train_seconds"]) + 0.074
        assert h100.seconds([(row["optimizer"], 50_000)]) == pytest.approx(epoch, rel=0.005), row


def test_a_start_counts_where_it_is_known():
    """Of tiny data it is most of the time."""
    packed, alone = speeds_of("resnet18", (3, 32, 32))[:2]
    assert packed.seconds([("sgd", 69_200)] * 2) == packed.start_seconds + 2 and 10 < packed.start_seconds < 60
    assert alone.seconds([("sgd", 62_100)]) == 1.0


def test_the_fastest_comes_first_and_unknown_work_has_no_speed():
    found = [speed.images_per_second for speed in speeds_of("resnet18", (3, 32, 32))]
    assert found == sorted(found, reverse=True) and len(found) >= 3
    assert speeds_of("resnet18", (3, 64, 64)) == speeds_of("mlp", (3, 32, 32)) == []
