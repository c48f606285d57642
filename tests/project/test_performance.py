"""What docs/performance.md says of a packed step is what the recorded files say."""

import csv
import re

import pytest
from conftest import REPOSITORY

from benchmarks.kernels import IDLE

PAGE = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
RESULTS = REPOSITORY / "benchmarks" / "results"
GATHERED = ("classifier and loss", "augmentation", "workspaces and zeros", "other")


def read(name):
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_by_kernel_is_the_files_sums():
    _, page = PAGE.split("**A packed step by kernel**")
    rows = re.findall(r"^\| (.+?) \| ?([\d,]*) \| ?([\d,]*) \| ([\d,]+) \| ([\d.]+) % \|$", page, re.MULTILINE)
    kernels = read("nvidia-h200-2026-11-29-kernels.csv")
    wall = float(kernels[0]["step_us"])
    told = 0
    for kind, launches, duration, share, percent in rows:
        parts = GATHERED if kind.startswith(GATHERED[0]) else (kind,)
        mine = [row for row in kernels if row["kind"] in parts]
        told += len(mine)
        part = sum(float(row["share_us"]) for row in mine)
        assert float(share.replace(",", "")) == pytest.approx(part, abs=0.51), kind
        assert float(percent) == pytest.approx(100 * part / wall, abs=0.51 if "." not in percent else 0.051), kind
        if kind != IDLE:
            assert float(launches) == pytest.approx(sum(float(row["launches"]) for row in mine), abs=0.51), kind
            assert float(duration.replace(",", "")) == pytest.approx(
                sum(float(row["duration_us"]) for row in mine), abs=0.51
            ), kind
    assert told == len(kernels)  # none is left out
    assert f"{wall:,.0f} µs" in page


def test_speeds_of_lanes_are_the_files():
    sgd = {row["lanes"]: float(row["images_per_second"]) for row in read("nvidia-h200-2026-11-29-lanes.csv")[:4]}
    lanes, speeds = re.findall(r"^\| SGD in ([\d, ]+) lanes.*\| – \| ([\d, ]+) \|$", PAGE, re.MULTILINE)[0]
    assert dict(zip(lanes.split(", "), (float(s.replace(",", "")) for s in speeds.split(", ")), strict=True)) == (
        pytest.approx(sgd, abs=0.51)
    )
