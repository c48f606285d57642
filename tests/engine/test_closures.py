"""SAM and Sophia, which compute gradients anew within a step: their papers' equations, and what the loop gives them."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from sweeper.optimizers import SAM, Sophia
from sweeper.system.errors import BadInput
from tests.engine.test_averaging import make_step

OPTIONS = {
    "sam": {"lr": 0.1, "rho": 0.2, "momentum": 0.9, "nesterov": False, "weight_decay": 0.01},
    "sophia": {
        "lr": 0.01, "betas": [0.9, 0.95], "gamma": 0.5, "interval": 2, "batch_size": 8, "eps": 1e-12,
        "weight_decay": 0.1,
    },
}  # fmt: skip


class Problem:
    """A regression whose gradients depend on the weights; `guess` asks for other targets."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(8, 5, generator=generator, dtype=torch.float64)
        self.y = torch.randn(8, 3, generator=generator, dtype=torch.float64)
        self.guesses = torch.randn(8, 3, generator=generator, dtype=torch.float64)
        self.params = [
            nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64)) for shape in ((4, 5), (3, 4))
        ]

    def closure(self, guess: bool = False) -> torch.Tensor:
        for p in self.params:
            p.grad = None
        first, second = self.params
        loss = functional.mse_loss((self.x @ first.T).tanh() @ second.T, self.guesses if guess else self.y)
        loss.backward()
        return loss.detach()


def follow(optimizer: torch.optim.Optimizer, problem: Problem, steps: int = 6) -> list[torch.Tensor]:
    for _ in range(steps):
        problem.closure()
        optimizer.step(problem.closure)
    return [p.detach() for p in problem.params]


@pytest.mark.parametrize("nesterov", [False, True])
def test_sam_is_pytorch_optimizers(nesterov):
    from pytorch_optimizer import SAM as Published  # noqa: N811

    ours, theirs = Problem(), Problem()
    options = {**OPTIONS["sam"], "nesterov": nesterov}
    found = follow(SAM(ours.params, **options), ours)
    published = Published(
        theirs.params, torch.optim.SGD, rho=0.2, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=nesterov
    )
    torch.testing.assert_close(found, follow(published, theirs), rtol=1e-6, atol=1e-6)  # its norm is fp32


def test_sophia_is_the_papers():
    """arXiv 2305.14342, algorithms 2 and 3, line by line."""
    ours, twin = Problem(), Problem()
    found = follow(Sophia(ours.params, **OPTIONS["sophia"]), ours)
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
    ("optimizer", "option", "value"),
    [
        (SAM, "lr", -1), (SAM, "rho", 0), (SAM, "momentum", 1), (SAM, "weight_decay", -1),
        (Sophia, "lr", -1), (Sophia, "betas", [0.9]), (Sophia, "gamma", 0), (Sophia, "interval", 0),
        (Sophia, "batch_size", 0), (Sophia, "eps", 0), (Sophia, "weight_decay", -1),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(optimizer, option, value):
    options = {**OPTIONS[optimizer.__name__.lower()], option: value}
    with pytest.raises(ValueError, match=f"^{option}="):
        optimizer([nn.Parameter(torch.zeros(2))], **options)


def test_the_closure_is_the_same_batch_at_the_present_weights():
    step = make_step("optimizer=sam", "epochs=1")
    step.differentiate(step.batch_size)
    first = [p.grad.clone() for p in step.model.parameters()]
    statistics = [buffer.clone() for buffer in step.model.buffers()]
    step.again()
    again = [p.grad for p in step.model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(statistics, step.model.buffers(), strict=True))
    step.again(guess=True)
    assert not all(torch.equal(p.grad, g) for p, g in zip(step.model.parameters(), first, strict=True))


def test_loss_scaling_is_refused(monkeypatch):
    import sweeper.engine.devices

    monkeypatch.setattr(sweeper.engine.devices, "_precision", lambda kind, asked: "fp16")
    with pytest.raises(BadInput, match=r"^device\.precision=fp16: this optimizer computes gradients anew"):
        make_step("optimizer=sam")
