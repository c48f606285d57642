"""Sophia divides its momentum by an estimate of the curvature: the paper's equations."""

import pytest
import torch
from optimizer_steps import Regression
from torch import nn

from sweeper.optimizers import Sophia

OPTIONS = {
    "lr": 0.01,
    "betas": [0.9, 0.95],
    "gamma": 0.5,
    "interval": 2,
    "batch_size": 8,
    "eps": 1e-12,
    "weight_decay": 0.1,
}


def test_sophia_is_the_papers():
    """arXiv 2305.14342, algorithms 2 and 3, line by line."""
    ours, twin = Regression(), Regression()
    found = ours.follow(Sophia(ours.params, **OPTIONS))
    m, h = ([torch.zeros_like(p) for p in twin.params] for _ in range(2))
    for t in range(6):
        twin.closure()
        gradients = [p.grad.clone() for p in twin.params]
        if t % 2 == 0:
            twin.closure(guess=True)
            h = [0.95 * a + 0.05 * 8 * p.grad**2 for a, p in zip(h, twin.params, strict=True)]
        m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
        with torch.no_grad():
            for p, a, b in zip(twin.params, m, h, strict=True):
                p.sub_(0.01 * 0.1 * p)
                p.sub_(0.01 * (a / (0.5 * b).clamp(min=1e-12)).clamp(-1, 1))
    torch.testing.assert_close(found, [p.detach() for p in twin.params], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("option", "value"),
    [("lr", -1), ("betas", [0.9]), ("gamma", 0), ("interval", 0), ("batch_size", 0), ("eps", 0), ("weight_decay", -1)],
)
def test_values_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"^{option}="):
        Sophia([nn.Parameter(torch.zeros(2))], **{**OPTIONS, option: value})
