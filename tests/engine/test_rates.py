"""A recorded step finds the rate that the schedule has for it, of each group, wherever it stands in the epoch."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from sweeper.engine.rates import Rates
from sweeper.schedules import constant, cosine, step, wsd

KEPT = ("last_epoch", "_step_count", "_last_lr", "base_lrs")
CPU = torch.device("cpu")


@pytest.fixture
def optimizer():
    groups = [{"params": [nn.Parameter(torch.ones(2))], "lr": lr} for lr in (0.3, 0.05)]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def test_each_step_looks_up_its_rates(optimizer):
    schedule, rates = LambdaLR(optimizer, lambda step: 1 / (step + 1)), Rates(optimizer, 5, CPU)
    optimizer.step()
    coming, others_changed = rates.advance(schedule, 3)
    assert coming == [[0.3, 0.05], [0.15, 0.025], [0.3 / 3, 0.05 / 3]] and not others_changed
    rates.put(1, coming)
    with rates.in_tensors():
        for step, row in enumerate(coming, start=1):
            rates.look_up(torch.tensor([step + 5]))  # steps that are tried may pass the epoch's end
            assert [group["lr"].item() for group in optimizer.param_groups] == torch.tensor(row).tolist()
    assert [group["lr"] for group in optimizer.param_groups] == [0.3 / 4, 0.05 / 4], "numbers again, after these steps"


@pytest.mark.parametrize("bursts", [[1, 1, 1, 1, 1], [5], [2, 3]])
@pytest.mark.parametrize(
    "build",
    [
        lambda optimizer: constant(optimizer, 8, 0.5),
        lambda optimizer: cosine(optimizer, 8, 0.25, 0.1),
        lambda optimizer: step(optimizer, 8, 0.25, [0.3, 0.5], 0.1),
        lambda optimizer: wsd(optimizer, 8, 0.25, 0.5),
    ],
)
def test_bursts_of_our_schedules_leave_them_where_single_steps_do(build, bursts, optimizer, monkeypatch):
    other = copy.deepcopy(optimizer)
    single, schedule, rates = build(other), build(optimizer), Rates(optimizer, 5, CPU)
    other.step(), optimizer.step()
    expected = []
    for _ in range(5):
        expected.append([group["lr"] for group in other.param_groups])
        single.step()
    calls, usual = [], LambdaLR.step
    monkeypatch.setattr(LambdaLR, "step", lambda self: calls.append(self) or usual(self))
    assert [row for steps in bursts for row in rates.advance(schedule, steps)[0]] == expected
    assert len(calls) == len(bursts), "the schedule itself takes one step of each burst"
    state, of_single = schedule.state_dict(), single.state_dict()
    assert {name: state[name] for name in KEPT} == {name: of_single[name] for name in KEPT}
    assert rates.numbers() == state["_last_lr"] == [group["lr"] for group in other.param_groups]


def test_a_factor_may_read_the_present_rate(optimizer):
    """As a schedule of a user's may; a burst has the rates of single steps."""
    optimizer.param_groups.pop()
    schedule = LambdaLR(optimizer, lambda step: 0.5 * optimizer.param_groups[0]["lr"] / 0.3 if step else 1.0)
    optimizer.step()
    assert Rates(optimizer, 5, CPU).advance(schedule, 4) == ([[0.3], [0.15], [0.075], [0.0375]], False)


def test_a_factor_may_change_another_option(optimizer):
    def factor(step):
        optimizer.param_groups[1]["momentum"] = 0.5 if step >= 3 else 0.9
        return 1.0

    schedule, rates = LambdaLR(optimizer, factor), Rates(optimizer, 5, CPU)
    optimizer.step()
    assert rates.advance(schedule, 5) == ([[0.3, 0.05]] * 3, True)


def test_the_rates_are_numbers_again_after_an_error(optimizer):
    rates = Rates(optimizer, 5, CPU)
    with pytest.raises(ValueError), rates.in_tensors():
        assert all(isinstance(group["lr"], torch.Tensor) for group in optimizer.param_groups)
        raise ValueError
    assert rates.numbers() == [group["lr"] for group in optimizer.param_groups] == [0.3, 0.05]


def test_every_step_may_have_the_present_rates(optimizer):
    rates = Rates(optimizer, 5, CPU)
    rates.keep()
    assert torch.equal(rates.table, torch.tensor([[0.3, 0.05]] * 5))


def test_a_schedule_is_advanced_up_to_the_step_at_which_it_changes_more_than_rates(optimizer):
    rates = Rates(optimizer, 5, CPU)
    schedule = LambdaLR(optimizer, lambda step: 1.0)
    optimizer.step()
    step = schedule.step

    def change_momentum_at_the_third():
        step()
        if schedule.last_epoch == 3:
            optimizer.param_groups[1]["momentum"] = 0.5

    schedule.step = change_momentum_at_the_third
    assert rates.advance(schedule, 5) == ([[0.3, 0.05]] * 3, True)
    assert rates.advance(schedule, 5) == ([[0.3, 0.05]] * 5, False)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_one_cycle_changes_the_momentum_or_the_first_beta(kind):
    optimizer = kind([nn.Parameter(torch.ones(2))], lr=0.1, **({"momentum": 0.9} if kind is torch.optim.SGD else {}))
    rates, schedule = Rates(optimizer, 5, CPU), OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
    optimizer.step()
    assert rates.advance(schedule, 5)[1]
