"""What our own optimizers share: decay without a gradient, resting parameters, a rate in a tensor, a closure."""

import pytest
import torch
from optimizer_steps import HIDDEN, OTHER, draw, follow, parameters

from tests.optimizers.test_lion import lion
from tests.optimizers.test_muon import mixed_muon


@pytest.mark.parametrize("make", [lion, mixed_muon])
def test_a_zero_gradient_only_decays_the_weights(make):
    params = parameters(HIDDEN + OTHER)
    before = [p.detach().clone() for p in params]
    optimizer = make(params)
    for p in params:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    rates = {p: 1 - g["lr"] * g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    for p, old in zip(params, before, strict=True):
        torch.testing.assert_close(p.detach(), old * rates[p])


@pytest.mark.parametrize("make", [lion, mixed_muon])
def test_a_parameter_without_a_gradient_stays_until_it_has_one(make):
    params = parameters(HIDDEN + OTHER)
    optimizer = make(params)
    resting = [params[0], params[len(HIDDEN)]]
    for step in range(2):
        before = [p.detach().clone() for p in params]
        for p, grad in zip(params, draw(HIDDEN + OTHER, seed=step), strict=True):
            p.grad = None if step == 0 and any(p is r for r in resting) else grad
        optimizer.step()
        for p, old in zip(params, before, strict=True):
            assert torch.equal(p, old) == (p.grad is None)


@pytest.mark.parametrize(("make", "rates"), [(lion, {"lr": 0.003}), (mixed_muon, {"lr": 0.02, "adamw_lr": 0.003})])
def test_a_tensor_rate_gives_what_a_float_gives(make, rates):
    by_float, by_tensor = parameters(HIDDEN + OTHER), parameters(HIDDEN + OTHER)
    expected = follow(make(by_float, **rates), by_float)
    found = follow(make(by_tensor, **{name: torch.tensor(rate) for name, rate in rates.items()}), by_tensor)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [lion, mixed_muon])
def test_a_step_calls_its_closure_with_gradients_on(make):
    params = parameters(HIDDEN + OTHER)

    def closure():
        loss = sum(p.square().sum() for p in params)
        loss.backward()
        return loss

    before = [p.detach().clone() for p in params]
    assert make(params).step(closure) > 0
    assert not any(torch.equal(p, old) for p, old in zip(params, before, strict=True))
