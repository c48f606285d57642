"""Lion equals the paper's equations and the published package."""

import torch
from optimizer_steps import HIDDEN, OTHER, follow, parameters
from torch import nn

from sweeper.optimizers import Lion


def lion(params: list[nn.Parameter], **changed) -> Lion:
    options = {"lr": 0.003, "betas": [0.9, 0.99], "weight_decay": 0.5, **changed}
    return Lion(params, **options)


def test_lion_is_lion_pytorchs():
    import lion_pytorch

    ours, theirs = parameters(HIDDEN + OTHER), parameters(HIDDEN + OTHER)
    published = lion_pytorch.Lion(theirs, lr=0.003, betas=(0.9, 0.99), weight_decay=0.5)
    torch.testing.assert_close(follow(lion(ours), ours), follow(published, theirs), rtol=1e-5, atol=1e-6)


class SlowLion:
    """arXiv 2302.06675, algorithm 2, line by line."""

    def __init__(self, params, lr, betas, weight_decay):
        self.param_groups = [{"lr": lr}]
        self.params, self.betas, self.weight_decay = params, betas, weight_decay
        self.momentum = [torch.zeros_like(p) for p in params]

    def step(self):
        lr, (beta1, beta2) = self.param_groups[0]["lr"], self.betas
        for k, p in enumerate(self.params):
            m, g = self.momentum[k], p.grad
            c = beta1 * m + (1 - beta1) * g
            p.data = p.data - lr * (torch.sign(c) + self.weight_decay * p.data)
            self.momentum[k] = beta2 * m + (1 - beta2) * g


def test_lion_is_the_papers():
    ours, slow = parameters(HIDDEN + OTHER, torch.float64), parameters(HIDDEN + OTHER, torch.float64)
    twin = SlowLion(slow, lr=0.003, betas=(0.9, 0.99), weight_decay=0.5)
    torch.testing.assert_close(follow(lion(ours), ours), follow(twin, slow), rtol=1e-12, atol=1e-12)
