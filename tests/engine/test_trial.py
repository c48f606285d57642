"""The trial finds what wouldn't resume; an optimizer that resumes passes it, on small parameters too."""

import pytest
import torch
from odd_optimizers import GOOD, Counting, Hidden, HiddenCount, Normed
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from sweeper.engine.trial import model_subject, optimizer_subject, why_it_cannot_resume
from sweeper.optimizers import SAM

IMAGES = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def try_out(optimizer, images=None):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    before = [p.detach().clone() for p in model.parameters()]

    def build(model):
        built = optimizer(model.parameters())
        for group in built.param_groups:
            group.setdefault("lr", 1.0)
        return built, LambdaLR(built, lambda step: 1 / (1 + step))

    why = why_it_cannot_resume(lambda: optimizer_subject(model, build, images), before=2, after=6)
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))
    return why


@pytest.mark.parametrize("images", [None, IMAGES], ids=["small", "whole"])
@pytest.mark.parametrize("kind", [*GOOD, Hidden, SAM], ids=lambda kind: kind.__name__)
def test_an_optimizer(kind, images):
    options = {"lr": 0.1, "rho": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.0} if kind is SAM else {}
    why = try_out(lambda params: kind(params, **options), images)
    assert why == ("it would differ in the model's 1.weight" if kind is Hidden else None)


def test_state_that_no_checkpoint_holds_is_named():
    def step(optimizer):
        for p in optimizer.param_groups[0]["params"]:
            optimizer.state[p].setdefault("rule", lambda: 1)

    kind = type("WithFunction", (torch.optim.SGD,), {"step": step})
    assert try_out(lambda params: kind(params, lr=0.1)) == "it holds a function, which a checkpoint can't"


@pytest.mark.parametrize(
    ("kind", "why"), [(Counting, None), (Normed, None), (HiddenCount, "it would differ in its output")]
)
def test_a_model(kind, why):
    def build():
        torch.manual_seed(0)
        return kind(num_classes=10)

    assert why_it_cannot_resume(lambda: model_subject(build(), IMAGES), before=2, after=1) == why
