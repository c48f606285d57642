"""`conf/speeds.yaml`: every speed has its source, names what exists, and gives the time it is meant to give."""

from statistics import median

import pytest
from conftest import REPOSITORY

from sweeper.config.grid import CONF
from sweeper.plan.speeds import load_speeds, speeds_of
from sweeper.runs.metrics import read_metrics


def test_every_entry_names_what_exists_and_its_source():
    for speed in load_speeds():
        assert (CONF / "model" / f"{speed.model}.yaml").is_file(), speed
        assert all((CONF / "optimizer" / f"{name}.yaml").is_file() for name in speed.optimizers), speed
        assert speed.images_per_second > 0 and len(speed.image) == 3
        assert speed.source.startswith("docs/performance.md"), speed


def test_the_speeds_of_the_h100_are_those_of_the_studys_runs_alone():
    (h100,) = (s for s in speeds_of("resnet18", (3, 32, 32)) if s.device == "NVIDIA H100, one run at a time")
    files = sorted((REPOSITORY / "docs" / "study" / "alone").glob("runs/*/*/metrics.csv"))
    assert len(files) == 5
    for file in files:
        optimizer = file.parent.name.partition("-")[0]
        epoch = median(row["train_seconds"] for row in read_metrics(file)[0][1:])
        evaluation = 0.074  # seconds, by docs/performance.md
        assert h100.seconds([(optimizer, 50_000)]) == pytest.approx(epoch + evaluation, rel=0.005), optimizer


def test_a_start_counts_where_it_is_known():
    """Of tiny data it is most of the time."""
    packed, alone = speeds_of("resnet18", (3, 32, 32))[:2]
    assert packed.seconds([("sgd", 69_200)] * 2) == packed.start_seconds + 2 and 10 < packed.start_seconds < 60
    assert alone.seconds([("sgd", 62_100)]) == 1.0


def test_the_fastest_comes_first_and_unknown_work_has_no_speed():
    found = [speed.images_per_second for speed in speeds_of("resnet18", (3, 32, 32))]
    assert found == sorted(found, reverse=True) and len(found) >= 3
    assert speeds_of("resnet18", (3, 64, 64)) == speeds_of("mlp", (3, 32, 32)) == []
