"""The moving average is torch's `AveragedModel` from the initial weights on, whatever a model registers."""

import copy

import pytest
import torch
from networks import made
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sweeper.engine.ema import ExponentialMovingAverage


class Strangers(nn.Module):
    """Weights used twice, a frozen one, a statistic that isn't saved, and a buffer that each pass replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.frozen = nn.Parameter(torch.ones(4), requires_grad=False)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("mean", torch.zeros(4), persistent=False)
        self.register_buffer("passes", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.mean = 0.5 * self.mean + x.detach().mean(0)
        self.passes = self.passes + 1
        return self.norm(self.second(self.first(x)) * self.frozen)


def train(model: nn.Module, shape: tuple[int, ...], steps: int, after_step) -> None:
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
    draws = torch.Generator().manual_seed(0)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, *shape, generator=draws)).square().mean().backward()
        optimizer.step()
        after_step()


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@pytest.mark.parametrize("decay", [0.5, 0.999])
@pytest.mark.parametrize(("network", "shape"), [("resnet20", (3, 8, 8)), ("strangers", (4,))])
def test_it_is_torchs_averaged_model(network, shape, decay):
    torch.manual_seed(1)
    model = Strangers() if network == "strangers" else made(network)
    ours = ExponentialMovingAverage(model, decay)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    theirs.update_parameters(model)  # the first one copies

    def after_step():
        ours.update()
        theirs.update_parameters(model)

    train(model, shape, 4, after_step)
    expected = state(theirs.module)
    assert expected.keys() == ours.average.keys()
    for name, tensor in ours.average.items():
        if tensor.is_floating_point():
            assert torch.equal(tensor, expected[name]), name
        else:
            assert torch.equal(tensor, state(model)[name]), name  # a count of passes has no average
    assert not all(torch.equal(tensor, state(model)[name]) for name, tensor in ours.average.items())


def test_the_model_has_the_average_within_the_context_alone():
    torch.manual_seed(1)
    model = Strangers()
    ema = ExponentialMovingAverage(model, 0.9)
    train(model, (4,), 3, ema.update)
    own, average = state(model), copy.deepcopy(ema.average)
    with ema.in_place():
        assert all(torch.equal(tensor, average[name]) for name, tensor in state(model).items())
    assert all(torch.equal(tensor, own[name]) for name, tensor in state(model).items())
    assert all(torch.equal(tensor, average[name]) for name, tensor in ema.average.items())


def test_an_average_goes_on_from_its_state():
    torch.manual_seed(1)
    model = Strangers()
    first = ExponentialMovingAverage(model, 0.9)
    train(model, (4,), 2, first.update)
    second = ExponentialMovingAverage(model, 0.9)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert all(torch.equal(a, b) for a, b in zip(first.tensors(), second.tensors(), strict=True))
