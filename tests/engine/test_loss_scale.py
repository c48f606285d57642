"""Loss scaling is torch's GradScaler without its wait for the device."""

import pytest
import torch
from torch import nn

from sweeper.engine.loss_scale import LossScale


def train_scaled(ours: bool, factors: list[float], device: str = "cpu") -> tuple[nn.Module, float]:
    """Steps on losses times `factors`; an infinite one makes gradients overflow."""
    torch.manual_seed(0)
    model = nn.Linear(4, 2).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    images = torch.randn(8, 4).to(device)
    scale = LossScale(torch.device(device), initial=1024.0)
    scaler = torch.amp.GradScaler(device, init_scale=1024.0, growth_interval=LossScale.INTERVAL)
    for factor in factors:
        optimizer.zero_grad()
        loss = (model(images).square().mean()) * factor
        if ours:
            (loss * scale.scale).backward()
            if not scale.unscale(optimizer).item():
                optimizer.step()
            scale.update()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    return model, float(scale.scale) if ours else scaler.get_scale()


@pytest.mark.parametrize("factors", [[1.0] * 5, [1.0, float("inf"), 1.0], [float("nan"), 1.0, 1.0]])
def test_the_loss_scale_does_what_torchs_grad_scaler_does(factors):
    (ours, our_scale), (theirs, their_scale) = (train_scaled(mine, factors) for mine in (True, False))
    assert our_scale == their_scale
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_the_scale_doubles_after_many_steps_without_overflow(monkeypatch):
    monkeypatch.setattr(LossScale, "INTERVAL", 3)
    (_, ours), (_, theirs) = (train_scaled(mine, [1.0] * 7) for mine in (True, False))
    assert ours == theirs == 4096


def test_a_scale_is_part_of_the_checkpoint():
    scale, other = LossScale(torch.device("cpu")), LossScale(torch.device("cpu"))
    scale.scale.fill_(8)
    scale.steps_in_a_row.fill_(5)
    other.load_state_dict(scale.state_dict())
    assert float(other.scale) == 8 and int(other.steps_in_a_row) == 5
