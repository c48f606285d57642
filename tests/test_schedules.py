"""Each schedule equals torch's own at every step, whatever the number of steps, for float and tensor rates alike."""

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import ChainedScheduler, CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR

from sweeper.engine.build import build_schedule
from tests.engine.test_build import load_choice

CHOICES = ["constant", "cosine", "step", "wsd"]
LR, OTHER_LR = 0.1, 0.003  # of two parameter groups


def sgd(tensor: bool = False) -> torch.optim.Optimizer:
    rates = [torch.tensor(lr) if tensor else lr for lr in (LR, OTHER_LR)]
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in rates]
    return torch.optim.SGD(groups, LR, foreach=False)


def build(choice: str, total_steps: int, optimizer: torch.optim.Optimizer | None = None, **changed) -> LRScheduler:
    return build_schedule(load_choice("schedule", choice, **changed), optimizer or sgd(), total_steps)


def walk(schedule: LRScheduler, steps: int) -> list[list[float]]:
    """Both groups' rates in each of `steps` training steps."""
    rates = []
    for _ in range(steps):
        rates.append([float(group["lr"]) for group in schedule.optimizer.param_groups])
        schedule.optimizer.step()
        schedule.step()
    return rates


def factors(choice: str, total_steps: int, **changed) -> list[float]:
    """The rate of each step in units of the full rate."""
    rates = walk(build(choice, total_steps, **changed), total_steps)
    assert [second / OTHER_LR for _, second in rates] == pytest.approx([first / LR for first, _ in rates])
    return [first / LR for first, _ in rates]


def warm_up(optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    return LinearLR(optimizer, start_factor=1 / (steps + 1), total_iters=steps)


# Torch's curves after the warm-up, made with their own optimizer and a count of the steps after the warm-up.
TORCHS = {
    "constant": lambda optimizer, steps: LinearLR(optimizer, start_factor=1.0),
    "cosine": lambda optimizer, steps: CosineAnnealingLR(optimizer, T_max=steps),
    "wsd": lambda optimizer, steps: LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=steps),
}


@pytest.mark.parametrize("total_steps", [2, 3, 40, 1000])
@pytest.mark.parametrize("choice", sorted(TORCHS))
def test_warm_up_and_curve_are_torchs(choice, total_steps):
    # wsd: what torch has is a decay alone, so the stable part goes and the decay begins where the warm-up ends.
    warmup_steps = min(max(1, round(0.05 * total_steps)), total_steps - 1)
    after = total_steps - warmup_steps
    changed = {"decay_fraction": after / total_steps} if choice == "wsd" else {}
    ours = walk(build(choice, total_steps, warmup_fraction=0.05, **changed), total_steps)
    expected = walk(warm_up(sgd(), warmup_steps), warmup_steps) + walk(TORCHS[choice](sgd(), after), after)
    assert ours == [pytest.approx(pair) for pair in expected]


def test_cosine_ends_at_its_final_fraction_as_torchs():
    ours = walk(build("cosine", 50, warmup_fraction=0, final_fraction=0.1), 51)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], LR)
    theirs = CosineAnnealingLR(optimizer, T_max=50, eta_min=0.1 * LR)
    for first, _ in ours:
        assert first == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert ours[50] == pytest.approx([0.1 * LR, 0.1 * OTHER_LR])


@pytest.mark.parametrize("total_steps", [40, 200, 1000])
def test_step_is_torchs(total_steps):
    ours = walk(build("step", total_steps), total_steps)
    optimizer = sgd()
    milestones = [int(part * total_steps / 10) for part in (3, 6, 8)]
    warmup_steps = max(1, round(0.005 * total_steps))
    theirs = ChainedScheduler([warm_up(optimizer, warmup_steps), MultiStepLR(optimizer, milestones, gamma=0.2)])
    theirs.optimizer = optimizer  # which torch itself sets in some versions only
    assert ours == [pytest.approx(pair) for pair in walk(theirs, total_steps)]


def test_milestones_that_fall_together_count_twice():
    assert factors("step", 10, warmup_fraction=0, milestones=[0.5, 0.5], gamma=0.5)[4:6] == [1, 0.25]


def test_wsd_is_stable_and_then_falls_linearly_to_0():
    rates = walk(build("wsd", 100), 101)
    curve = [first / LR for first, _ in rates]
    assert curve[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert curve[5:81] == [1] * 76
    assert curve[80:] == pytest.approx([k / 20 for k in range(20, -1, -1)])


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("total_steps", [1, 2, 3, 5])
def test_the_shortest_runs_have_rates_above_0_and_reach_the_full_one(choice, total_steps):
    curve = factors(choice, total_steps)
    assert min(curve) > 0
    if choice != "step":  # its first milestone may fall into the warm-up
        assert max(curve) == 1
    if total_steps > 1:
        has_warm_up = load_choice("schedule", choice)["warmup_fraction"] > 0
        assert (curve[0] < 1) == has_warm_up


@settings(deadline=None)  # the first call imports parts of torch
@given(st.sampled_from(CHOICES), st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_every_schedule_rises_to_its_top_and_never_again(choice, total_steps, warmup_fraction, fraction):
    options = {"cosine": "final_fraction", "wsd": "decay_fraction", "step": "gamma"}
    changed = {options[choice]: fraction} if choice in options else {}
    curve = factors(choice, total_steps, warmup_fraction=warmup_fraction, **changed)
    assert all(0 <= factor <= 1 + 1e-9 for factor in curve)
    top = curve.index(max(curve))
    assert curve[: top + 1] == sorted(curve[: top + 1])
    assert all(after <= before + 1e-9 for before, after in zip(curve[top:], curve[top + 1 :], strict=False))


@pytest.mark.parametrize("choice", CHOICES)
def test_a_tensor_rate_stays_the_same_tensor_and_gets_the_same_values(choice):
    optimizer = sgd(tensor=True)
    tensors = [group["lr"] for group in optimizer.param_groups]
    schedule = build(choice, 40, optimizer)
    by_tensor, by_float = walk(schedule, 41), walk(build(choice, 40), 41)
    # From one factor to the next nothing adds up: each is the float's value, rounded to float32 once.
    assert by_tensor == [pytest.approx(pair, rel=1e-6, abs=1e-12) for pair in by_float]
    assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, tensors, strict=True))
    assert all(isinstance(base, float) for base in schedule.base_lrs)


@pytest.mark.parametrize("tensor", [False, True])
def test_the_last_rate_is_that_of_the_step_done(tensor):
    optimizer = sgd(tensor)
    schedule = build("cosine", 10, optimizer)
    rates = []
    for _ in range(3):
        optimizer.step()
        rates.append(schedule.get_last_lr()[0])
        schedule.step()
    assert [float(rate) for rate in rates] == pytest.approx([LR / 2, LR, LR * 0.9698463])


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("choice", CHOICES)
def test_a_schedule_goes_on_from_its_state(choice, tensor):
    whole = walk(build(choice, 30, sgd(tensor)), 30)
    first = build(choice, 30, sgd(tensor))
    begun = walk(first, 11)
    file = io.BytesIO()
    torch.save({"schedule": first.state_dict(), "optimizer": first.optimizer.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    second = build(choice, 30, sgd(tensor))
    second.optimizer.load_state_dict(state["optimizer"])
    second.load_state_dict(state["schedule"])
    assert begun + walk(second, 19) == whole


def test_a_schedule_keeps_its_last_rate_after_the_end():
    curve = walk(build("cosine", 10, final_fraction=0.2), 15)
    assert curve[10:] == [pytest.approx([0.2 * LR, 0.2 * OTHER_LR])] * 5
