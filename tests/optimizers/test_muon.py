"""Muon equals its page's equations and the published package, and orthogonalizes; beside it AdamW."""

import functools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizer_steps import HIDDEN, OTHER, draw, follow, parameters
from torch import nn

from sweeper.optimizers import Muon
from sweeper.optimizers.muon import orthogonalize
from tests.engine.test_build import load_choice


def muon(params: list[nn.Parameter], hidden: int, **changed) -> Muon:
    """The first `hidden` of the parameters are hidden weights."""
    options = {
        "lr": 0.02,
        "weight_decay": 0.5,
        "momentum": 0.95,
        "nesterov": True,
        "newton_schulz_steps": 5,
        "adamw_lr": 0.003,
        "adamw_betas": [0.9, 0.95],
        "adamw_eps": 1e-10,
        "adamw_weight_decay": 0.2,
        **changed,
    }
    groups = [{"params": params[:hidden], "role": "hidden"}, {"params": params[hidden:], "role": "other"}]
    return Muon([group for group in groups if group["params"]], **options)


def mixed_muon(params: list[nn.Parameter], **changed) -> Muon:
    return muon(params, len(HIDDEN), **changed)


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_pytorch_optimizers(nesterov, monkeypatch):
    """Same conventions: momentum by lerp, update times sqrt(max(1, rows / columns)), decoupled decay, AdamW beside it.

    Two differences are removed. Theirs computes Newton-Schulz in bfloat16 on every device, ours on the CPU in the
    weights' dtype: theirs gets float32. Theirs calls the groups `use_muon` and lets AdamW's values stand in the group.
    Theirs decays the weights before it computes the update and ours after it, which is the same: the update doesn't
    look at the weights.
    """
    from pytorch_optimizer.optimizer.muon import base
    from pytorch_optimizer.optimizer.muon import muon as published

    in_float32 = functools.partial(base.zero_power_via_newton_schulz_5, dtype=torch.float32)
    monkeypatch.setattr(base, "zero_power_via_newton_schulz_5", in_float32)
    ours, theirs = parameters(HIDDEN + OTHER), parameters(HIDDEN + OTHER)
    k = len(HIDDEN)
    groups = [
        {"params": theirs[:k], "use_muon": True, "lr": 0.02, "weight_decay": 0.5, "nesterov": nesterov},
        {"params": theirs[k:], "use_muon": False, "lr": 0.003, "weight_decay": 0.2, "betas": (0.9, 0.95), "eps": 1e-10},
    ]
    expected = follow(published.Muon(groups, momentum=0.95, ns_steps=5), theirs)
    torch.testing.assert_close(follow(muon(ours, k, nesterov=nesterov), ours), expected, rtol=1e-4, atol=1e-5)


def test_muons_other_part_is_torchs_adamw():
    ours, theirs = parameters(OTHER), parameters(OTHER)
    published = torch.optim.AdamW(theirs, lr=0.003, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.2)
    torch.testing.assert_close(follow(muon(ours, 0), ours), follow(published, theirs), rtol=1e-5, atol=1e-6)


class SlowMuon:
    """Muon's page for the first `hidden` parameters and arXiv 1711.05101, algorithm 2, for the others."""

    def __init__(self, params, hidden, nesterov):
        self.param_groups = [{"lr": 0.02}, {"lr": 0.003}]
        self.params, self.hidden, self.nesterov = params, hidden, nesterov
        self.first = [torch.zeros_like(p) for p in params]  # Muon's momentum, Adam's first moment
        self.second = [torch.zeros_like(p) for p in params]
        self.t = 0

    def step(self):
        self.t += 1
        for k, p in enumerate(self.params):
            if k < self.hidden:
                self.muon(k, p, p.grad, lr=self.param_groups[0]["lr"], mu=0.95, weight_decay=0.5)
            else:
                self.adamw(k, p, p.grad, self.param_groups[1]["lr"], beta1=0.9, beta2=0.95, eps=1e-10, weight_decay=0.2)

    def muon(self, k, p, g, lr, mu, weight_decay):
        self.first[k] = mu * self.first[k] + (1 - mu) * g
        direction = mu * self.first[k] + (1 - mu) * g if self.nesterov else self.first[k]
        rows, columns = p.shape[0], p[0].numel()
        x = direction.reshape(rows, columns)
        x = x / (x.square().sum().sqrt() + 1e-7)
        for _ in range(5):
            xxt = x @ x.T
            x = 3.4445 * x - 4.7750 * xxt @ x + 2.0315 * xxt @ xxt @ x
        update = math.sqrt(max(1, rows / columns)) * x.reshape(p.shape)
        p.data = p.data - lr * (update + weight_decay * p.data)

    def adamw(self, k, p, g, lr, beta1, beta2, eps, weight_decay):
        self.first[k] = beta1 * self.first[k] + (1 - beta1) * g
        self.second[k] = beta2 * self.second[k] + (1 - beta2) * g**2
        m = self.first[k] / (1 - beta1**self.t)
        v = self.second[k] / (1 - beta2**self.t)
        p.data = p.data - lr * (m / (v.sqrt() + eps) + weight_decay * p.data)


@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_the_papers(nesterov):
    ours, slow = parameters(HIDDEN + OTHER, torch.float64), parameters(HIDDEN + OTHER, torch.float64)
    k = len(HIDDEN)
    expected = follow(SlowMuon(slow, k, nesterov), slow)
    found = follow(muon(ours, k, nesterov=nesterov), ours)
    torch.testing.assert_close(found[:k], expected[:k], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found[k:], expected[k:], rtol=1e-6, atol=1e-7)  # ours counts its steps in float32


sides = st.integers(1, 12)


@settings(deadline=None)  # the first call imports parts of torch
@given(sides, sides, st.floats(0.1, 1), st.floats(-3, 3), st.integers(0, 2**30))
def test_orthogonalize_brings_singular_values_near_1_and_keeps_directions(rows, columns, lowest, magnitude, seed):
    rank = min(rows, columns)
    u, v = (torch.linalg.qr(m)[0][:, :rank] for m in draw([(rows, rows), (columns, columns)], seed, torch.float64))
    singular = torch.linspace(lowest, 1, rank, dtype=torch.float64) * 10**magnitude
    direction = u @ singular.diag() @ v.T
    (found,) = orthogonalize([direction], steps=5)
    inside = u.T @ found @ v / max(1, rows / columns) ** 0.5
    assert (inside.diagonal() > 0.6).all() and (inside.diagonal() < 1.3).all()
    torch.testing.assert_close(inside, inside.diagonal().diag())
    torch.testing.assert_close(u @ (u.T @ found @ v) @ v.T, found)


@pytest.mark.parametrize("shape", HIDDEN)
def test_orthogonalize_keeps_shape_and_treats_a_kernel_as_outputs_by_inputs(shape):
    (direction,) = draw([shape], seed=3)
    (found,) = orthogonalize([direction], steps=5)
    (matrix,) = orthogonalize([direction.reshape(shape[0], -1)], steps=5)
    assert found.shape == direction.shape and found.dtype == direction.dtype
    assert torch.equal(found.reshape(matrix.shape), matrix)


@settings(deadline=None)  # the first call imports parts of torch
@given(st.lists(st.sampled_from([*HIDDEN, (1, 5), (5, 1), (1, 1)]), min_size=1, max_size=8), st.integers(0, 2**30))
def test_orthogonalize_in_batches_is_one_at_a_time(shapes, seed):
    directions = draw(shapes, seed)
    together = orthogonalize(directions, steps=5)
    alone = [orthogonalize([direction], steps=5)[0] for direction in directions]
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_orthogonalize_takes_matrices_of_one_shape_at_once(monkeypatch):
    from sweeper.optimizers.muon import newton_schulz

    batches = []

    def spy(matrices, steps):
        batches.append(tuple(matrices.shape))
        return newton_schulz(matrices, steps)

    monkeypatch.setattr("sweeper.optimizers.muon.newton_schulz", spy)
    orthogonalize(draw(HIDDEN, seed=0), steps=5)
    assert sorted(batches) == [(1, 4, 8), (1, 7, 7), (1, 8, 36), (1, 36, 40), (3, 6, 10)]


@pytest.mark.parametrize("groups", [[{"params": [nn.Parameter(torch.zeros(2, 2))]}], [nn.Parameter(torch.zeros(2, 2))]])
def test_muon_refuses_groups_without_a_role(groups):
    options = {k: v for k, v in load_choice("optimizer", "muon").items() if k not in ("name", "_target_", "_partial_")}
    with pytest.raises(ValueError, match="every parameter group needs a role: hidden or other"):
        Muon(groups, **options)


def test_muon_refuses_a_hidden_vector():
    with pytest.raises(ValueError, match="two dimensions or more"):
        muon([nn.Parameter(torch.zeros(3))], hidden=1)


def test_the_memory_format_makes_no_difference_to_orthogonalizing():
    torch.manual_seed(0)
    kernels = [torch.randn(shape) for shape in [(8, 4, 3, 3), (40, 4, 3, 3), (6, 10, 1, 1), (7, 7)]]
    plain = orthogonalize(kernels, steps=5)
    last = [k.to(memory_format=torch.channels_last) if k.ndim == 4 else k for k in kernels]
    for a, b, kernel in zip(plain, orthogonalize(last, steps=5), last, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        assert b.stride() == kernel.stride()
