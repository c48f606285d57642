"""Optimizers and models with state that `state_dict` lacks or `weights_only` refuses; named by `_target_`."""

import enum
import random
from collections import deque

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer


class Rule(Optimizer):
    """Gradient descent by `scale(p, state, group)`."""

    def __init__(self, params, lr=0.05, **options):
        super().__init__(params, {"lr": lr, **options})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad, alpha=float(group.get("lr", 1.0) * self.scale(p, self.state[p], group)))


class Deques(Rule):
    def scale(self, p, state, group):
        state.setdefault("norms", deque(maxlen=3)).append(p.grad.norm().item())
        return min(1.0, 1 / (1e-3 + sum(state["norms"])))


class NumPyNumbers(Rule):
    def scale(self, p, state, group):
        state["decay"] = state.get("decay", np.float64(1.0)) * np.float32(0.9)
        state["counts"] = state.get("counts", np.zeros(2, np.uint16)) + np.uint16(1)
        return state["decay"] * state["counts"][0]


class StringKeys(Rule):
    """A state that isn't by parameter, as MADGRAD's."""

    def scale(self, p, state, group):
        self.state["k"] = self.state.get("k", torch.zeros(1, dtype=torch.int64)) + 1
        return 1 / self.state["k"].item()


class Counter(Rule):
    """A plain attribute, a helper's attributes, a dictionary by `id`, and a random generator."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, lr)
        self.steps, self.by_id, self.helper, self.generator = 0, {}, Helper(), random.Random(1)

    def scale(self, p, state, group):
        self.steps += 1
        self.by_id[id(p)] = self.by_id.get(id(p), 0) + 1
        self.helper.seen.add(self.steps % 5)
        return self.generator.random() / self.by_id[id(p)] + 1 / self.steps + len(self.helper.seen)


class Helper:
    def __init__(self):
        self.seen = set()


class ObjectsOfAStep(Rule):
    """Each parameter gets an object in the first step; a group has an enumeration's member."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, lr, mode=Mode.FAST)

    def scale(self, p, state, group):
        helper = state.setdefault("helper", Helper())
        helper.seen.add(len(helper.seen))
        return 1 / len(helper.seen) if group["mode"] is Mode.FAST else 1.0


class Mode(enum.Enum):
    FAST = 1


class FunctionInGroup(Rule):
    def __init__(self, params, lr=0.05):
        super().__init__(params, lr, power=lambda step: 1 / step)

    def scale(self, p, state, group):
        state["step"] = state.get("step", 0) + 1
        return group["power"](state["step"])


class WithoutRate(Rule):
    def __init__(self, params):
        Optimizer.__init__(self, params, {"momentum": 0.1})

    def scale(self, p, state, group):
        state["t"] = state.get("t", 0) + 1
        return 0.1 / state["t"]


class OldZeroGrad(Rule):
    def zero_grad(self):
        super().zero_grad()

    def scale(self, p, state, group):
        return 1.0


class Wrapper(Optimizer):
    """Adam and slow weights, with a form of state of its own, as Lookahead's."""

    def __init__(self, params, lr=0.01):
        self.inner, self.slow, self.count = Adam(params, lr), {}, 0
        self.defaults = self.inner.defaults
        self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks = {}, {}

    @property
    def param_groups(self):
        return self.inner.param_groups

    @property
    def state(self):
        return self.inner.state

    def state_dict(self):
        return {"inner": self.inner.state_dict(), "slow": {k: v for k, (_, v) in enumerate(self.slow.items())}}

    def zero_grad(self, set_to_none=True):
        self.inner.zero_grad(set_to_none)

    @torch.no_grad()
    def step(self):
        self.inner.step()
        self.count += 1
        for p in [p for group in self.param_groups for p in group["params"]]:
            slow = self.slow.setdefault(p, p.clone())
            if self.count % 2 == 0:
                p.copy_(slow.lerp_(p, 0.5))


class Hidden(Rule):
    """Its count is in a closure, out of reach."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, lr)
        count = [0]

        def counted():
            count[0] += 1
            return count[0]

        self.counted = counted

    def scale(self, p, state, group):
        return 1 / self.counted()


class SomeOnly(SGD):
    def __init__(self, params, lr=0.05):
        params = list(params)
        super().__init__([{**params[0], "params": list(params[0]["params"])[:1]}], lr)


class NeedsGraph(Rule):
    def scale(self, p, state, group):
        raise RuntimeError("no graph\nof the gradients")


GOOD = [Deques, NumPyNumbers, StringKeys, Counter, ObjectsOfAStep, FunctionInGroup, WithoutRate, OldZeroGrad, Wrapper]


class Counting(nn.Module):
    """A count, a NumPy buffer, a buffer that isn't persistent, and a tensor, all plain."""

    def __init__(self, num_classes):
        super().__init__()
        self.layer = nn.Linear(64, num_classes)
        self.count, self.means, self.last = 0, np.zeros(64), None
        self.register_buffer("transient", torch.zeros(64), persistent=False)

    def forward(self, x):
        x = x.flatten(1)
        if self.training:
            self.count += 1
            self.means *= 0.5
            self.means += x.detach().mean(0).numpy()
            self.transient.mul_(0.9).add_(x.detach().mean(0))
            self.last = x.detach().std(0)
            x = x / self.count + torch.from_numpy(self.means).float() + self.transient + self.last
        return self.layer(x)


class HiddenCount(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.layer, count = nn.Linear(64, num_classes), [0]

        def counted():
            count[0] += 1
            return count[0]

        self.counted = counted

    def forward(self, x):
        return self.layer(x.flatten(1)) / (self.counted() if self.training else 1)


class Auxiliary(nn.Module):
    """Two outputs in training, as torchvision's googlenet."""

    def __init__(self, num_classes, aux_logits=True):
        super().__init__()
        self.layer, self.other = nn.Linear(64, num_classes), nn.Linear(64, num_classes)
        self.aux_logits = aux_logits

    def forward(self, x):
        x = x.flatten(1)
        return (self.layer(x), self.other(x)) if self.training and self.aux_logits else self.layer(x)


class Normed(nn.Sequential):
    def __init__(self, num_classes):
        super().__init__(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Linear(16, num_classes))


class Altering(nn.Module):
    """Changes its input, in place or not."""

    def __init__(self, num_classes, in_place):
        super().__init__()
        self.layer, self.in_place = nn.Linear(64, num_classes), in_place

    def forward(self, x):
        x = x.mul_(0.5).add_(1).relu_() if self.in_place else (x * 0.5 + 1).relu()
        return self.layer(x.flatten(1))
