"""A recorded step finds the rate that the schedule has for it, of each group, wherever it stands in the epoch."""

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from sweeper.engine.rates import Rates

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
def test_factors_of_several_steps_leave_the_schedule_where_single_steps_do(optimizer, bursts):
    asked: list[int] = []
    factors = [lambda step: asked.append(step) or 1 / (step + 3), lambda step: 0.9**step]
    schedule, rates = LambdaLR(optimizer, factors), Rates(optimizer, 5, CPU)
    optimizer.step()
    found = [row for steps in bursts for row in rates.advance(schedule, steps)[0]]
    assert found == [[0.3 * (1 / (step + 3)), 0.05 * 0.9**step] for step in range(5)]
    assert asked == list(range(6)), "each factor is computed once, in order"
    state = schedule.state_dict()
    assert (state["last_epoch"], state["_step_count"]) == (5, 6)
    assert state["_last_lr"] == rates.numbers() == [0.3 * (1 / 8), 0.05 * 0.9**5]


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
