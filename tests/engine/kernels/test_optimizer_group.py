"""The kernels refuse tensors that they can't read."""

import copy

import pytest
import torch
from torch import nn

from sweeper.engine.kernels.optimizer_group import Group
from sweeper.optimizers import Lion


class LionState(Group):
    STATE = ("exp_avg",)


def build(dtype: torch.dtype = torch.float32) -> tuple[Lion, LionState]:
    """Lion with gradients; a kernel in channels_last and a vector."""
    kernel = torch.randn(4, 3, 2, 2, dtype=dtype).to(memory_format=torch.channels_last)
    params = [nn.Parameter(kernel), nn.Parameter(torch.randn(5, dtype=dtype))]
    optimizer = Lion(params, lr=0.1, betas=[0.9, 0.99], weight_decay=0.0)
    for p in params:
        p.grad = torch.ones_like(p)
    return optimizer, LionState(optimizer, 0)


def test_a_group_fits_before_and_after_its_first_step_and_after_its_state_is_replaced():
    optimizer, group = build()
    assert group.fits()
    optimizer.step()
    assert group.fits()
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert group.fits() and group.options is optimizer.param_groups[0]


def in_double(optimizer, group):
    return build(torch.float64)[1]


def other_order_of_the_gradient(optimizer, group):
    group.params[0].grad = group.params[0].grad.contiguous()


def other_order_of_the_state(optimizer, group):
    optimizer.step()
    optimizer.state[group.params[0]]["exp_avg"] = torch.zeros(4, 3, 2, 2)


def no_gradient(optimizer, group):
    group.params[1].grad = None


def sparse_gradient(optimizer, group):
    group.params[1].grad = group.params[1].grad.to_sparse()


def gradient_off_its_alignment(optimizer, group):
    group.params[1].grad = torch.ones(6)[1:]


def weight_with_gaps(optimizer, group):
    group.params[1].data = torch.ones(10)[::2]


def rate_in_double(optimizer, group):
    optimizer.param_groups[0]["lr"] = torch.tensor(0.1, dtype=torch.float64)


def rate_elsewhere(optimizer, group):
    optimizer.param_groups[0]["lr"] = torch.tensor(0.1, device="meta")


def another_parameter(optimizer, group):
    optimizer.param_groups[0]["params"].append(nn.Parameter(torch.ones(1)))


@pytest.mark.parametrize(
    "change",
    [
        in_double,
        other_order_of_the_gradient,
        other_order_of_the_state,
        no_gradient,
        sparse_gradient,
        gradient_off_its_alignment,
        weight_with_gaps,
        rate_in_double,
        rate_elsewhere,
        another_parameter,
    ],
)
def test_a_group_does_not_fit(change):
    optimizer, group = build()
    assert not (change(optimizer, group) or group).fits()


def test_the_state_is_the_optimizers_own():
    optimizer, group = build()
    group.write_addresses()
    twin, _ = build()
    twin.step()
    ours, theirs = optimizer.state_dict()["state"], twin.state_dict()["state"]
    assert {k: list(of) for k, of in ours.items()} == {k: list(of) for k, of in theirs.items()}
    assert all(ours[k]["exp_avg"].stride() == theirs[k]["exp_avg"].stride() for k in ours)
    order = [*group.params, *(p.grad for p in group.params), *group.state("exp_avg")]
    assert group.addresses.table.tolist() == [t.data_ptr() for t in order]


def test_the_rate_is_read_where_it_is():
    optimizer, group = build()
    assert group.rate().item() == pytest.approx(0.1)
    optimizer.param_groups[0]["lr"] = torch.tensor(0.2)
    assert group.rate() is optimizer.param_groups[0]["lr"]
