"""The benchmark of stacked networks: they learn as separate ones do, and what goes wrong is said in a line."""

import csv
import sys

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks import stacked, stacking
from benchmarks.stacking import JoinedNorm


@pytest.fixture
def rehearse(monkeypatch, tmp_path):
    """`rehearse(models)`: the exit code of two networks' brief rehearsal, and the rows of its file."""
    monkeypatch.setattr(stacked, "REPEATS", 1)
    monkeypatch.setattr(stacked, "SECONDS", 0.0)

    def rehearse(models):
        file = tmp_path / "stacked.csv"
        words = ["--device", "cpu", "--models", models, "--lanes", "2", "--csv", str(file)]
        monkeypatch.setattr(sys, "argv", ["stacked", *words])
        return stacked.main(), list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))

    return rehearse


def test_stacked_networks_learn_as_separate_ones_and_all_ways_are_timed(rehearse):
    code, rows = rehearse("cnn")
    assert code == 0 and [row["precision"] for row in rows] == ["bf16", "fp32", "fp64"]
    assert all(float(row[name]) > 0 for row in rows[:2] for name in stacked.FIGURES)
    assert 0 < float(rows[2]["difference"]) < 1e-12 < float(rows[1]["difference"]) < 1e-4


def test_a_difference_is_an_error(monkeypatch, rehearse):
    monkeypatch.setattr(stacking, "stack_module_state", lambda networks: stack_module_state(networks[::-1]))
    monkeypatch.setattr(stacked, "PRECISIONS", ("fp64",))
    code, (row,) = rehearse("mlp")
    assert code == 1 and float(row["difference"]) > stacked.BOUND


def test_a_way_that_fails_is_said_in_a_line_and_the_others_are_timed(monkeypatch, rehearse, capsys):
    def refuse(*_):
        raise RuntimeError("no rule\nand a trace")

    monkeypatch.setattr(stacking, "vmap", refuse)
    code, rows = rehearse("mlp,none")
    printed = capsys.readouterr().out.splitlines()
    assert code == 1 and len(rows) == 3
    assert all(float(row["streams_us"]) > 0 and row["stacked_us"] == row["ratio"] == "" for row in rows[:2])
    assert "mlp, 2 lanes, bf16, stacked: RuntimeError: no rule" in printed
    assert "none, 2 lanes, fp32: KeyError: 'none'" in printed


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_joined_batch_norm_is_each_networks_own(dtype):
    norms = [nn.BatchNorm2d(4) for _ in range(3)]
    for norm in norms:
        nn.init.normal_(norm.weight)
    base, (weights, buffers) = JoinedNorm(4), stack_module_state(norms)
    images = torch.randn(3, 5, 4, 6, 6).to(dtype)
    y = vmap(lambda w, b, x: functional_call(base, (w, b), (x,)))(weights, buffers, images)
    for k, norm in enumerate(norms):
        torch.testing.assert_close(y[k], norm(images[k]))
        for name, value in norm.named_buffers():
            torch.testing.assert_close(buffers[name][k], value)
