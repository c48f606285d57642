"""One step: loss scaling is torch's GradScaler without its wait for the device."""

import torch
from torch import nn

from sweeper.engine.step import state_tensors


def test_every_tensor_of_a_state_is_found():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    assert state_tensors(optimizer) == []
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert len(state_tensors(optimizer)) == 6  # step, exp_avg and exp_avg_sq of two parameters
