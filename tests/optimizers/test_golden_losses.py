"""All ten optimizers keep their golden losses, and go on from a saved state bit for bit.

After a change that is meant to change losses:
`UPDATE_GOLDEN=1 .venv/bin/pytest tests/optimizers/test_golden_losses.py -k golden`.
"""

import io
import json
import os

import pytest
import torch
from conftest import REPOSITORY
from torch.nn import functional

from sweeper.config.targets import load_target
from sweeper.engine.build import build_model, build_optimizer, build_schedule
from tests.engine.test_build import load_choice

GOLDEN = REPOSITORY / "tests" / "golden" / "optimizers.json"
OPTIMIZERS = ["sgd", "adam", "adamw", "lion", "muon", "rmsprop", "adagrad", "nadam", "radam", "adafactor"]
TORCHS = [name for name in OPTIMIZERS if name not in ("lion", "muon")]


class Training:
    """A tiny network on random images."""

    def __init__(self, optimizer: dict, dtype: torch.dtype, total_steps: int = 10) -> None:
        generator = torch.Generator().manual_seed(1)
        self.images = torch.randn(32, 1, 8, 8, generator=generator).to(dtype)
        self.labels = torch.arange(32) % 4
        self.model = build_model(load_choice("model", "cnn", width=4), (1, 8, 8), num_classes=4, seed=1).to(dtype)
        self.optimizer = build_optimizer(optimizer, self.model, decay_norms_and_biases=False)
        self.schedule = build_schedule(load_choice("schedule", "cosine"), self.optimizer, total_steps)

    def step(self) -> float:
        loss = functional.cross_entropy(self.model(self.images), self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return loss.item()

    def steps(self, count: int) -> list[float]:
        return [self.step() for _ in range(count)]


# What the golden losses were made with, whatever becomes a default.
VALUES = {
    "sgd": {"lr": 0.1, "weight_decay": 0.0005},
    "adam": {"lr": 0.001, "weight_decay": 0.0005},
    "adamw": {"lr": 0.001, "weight_decay": 0.3},
    "lion": {"lr": 0.0002, "weight_decay": 1.5},
    "muon": {"lr": 0.02, "weight_decay": 0.01},
    "nadam": {"weight_decay": 0.3},
    "adafactor": {"weight_decay": 0.03},
}


def load_options(name: str) -> dict:
    return load_choice("optimizer", name, **VALUES.get(name, {}))


def skip_if_missing(name: str) -> None:
    if not hasattr(torch.optim, "Adafactor") and name == "adafactor":
        pytest.skip("this torch has no Adafactor")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_golden_losses(name):
    """In float64, where another machine's rounding doesn't reach the digits that are compared."""
    skip_if_missing(name)
    losses = Training(load_options(name), torch.float64).steps(10)
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps({**golden, name: losses}, indent=1) + "\n")
    else:
        assert losses == pytest.approx(golden[name], rel=1e-8)


def changes(name: str) -> list[tuple[str, dict]]:
    """Each number of the optimizer's YAML halved, each switch turned, each 0 raised."""
    node = load_options(name)
    cases = []
    for option, value in node.items():
        for k, item in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(item, bool):
                other = not item
            elif isinstance(item, (int, float)):
                other = max(1, item // 2) if isinstance(item, int) else item / 2 or 0.01
            else:
                continue
            changed = [*value[:k], other, *value[k + 1 :]] if isinstance(value, list) else other
            cases.append((option, {**node, option: changed}))
    # Too small to be seen in ten losses, or refused: Nesterov takes no dampening, Adafactor's d is at least 1.
    unseen = {"_partial_", "eps", "adamw_eps", "amsgrad", "dampening", "d"}
    return [case for case in cases if case[0] not in unseen]


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_golden_losses_tell_every_hyperparameter(name):
    skip_if_missing(name)
    golden = json.loads(GOLDEN.read_text())[name]
    assert changes(name)
    for option, node in changes(name):
        assert Training(node, torch.float64).steps(10) != pytest.approx(golden, rel=1e-8), option


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_follows_the_golden_losses(name):
    skip_if_missing(name)
    golden = json.loads(GOLDEN.read_text())[name]
    assert Training(load_options(name), torch.float32).steps(10) == pytest.approx(golden, rel=1e-4)


@pytest.mark.parametrize("name", TORCHS)
def test_torchs_optimizers_get_the_values_of_their_yaml(name):
    skip_if_missing(name)
    node = load_choice("optimizer", name)
    optimizer = Training(node, torch.float32).optimizer
    assert type(optimizer) is load_target("optimizer._target_", node["_target_"])
    for group, weight_decay in zip(optimizer.param_groups, (node["weight_decay"], 0.0), strict=True):
        asked = {k: v for k, v in node.items() if k not in ("name", "_target_", "_partial_")}
        asked |= {"weight_decay": weight_decay, "initial_lr": asked.pop("lr")}
        got = {k: list(group[k]) if isinstance(group[k], tuple) else group[k] for k in asked}
        assert got == asked


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_saved_state_goes_on_bit_for_bit(name):
    skip_if_missing(name)
    node = load_choice("optimizer", name)
    training = Training(node, torch.float32)
    training.steps(4)
    parts = ("model", "optimizer", "schedule")
    file = io.BytesIO()
    torch.save({part: getattr(training, part).state_dict() for part in parts}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    resumed = Training(node, torch.float32)
    for part in parts:
        getattr(resumed, part).load_state_dict(state[part])
    assert resumed.steps(4) == training.steps(4)
    for ours, theirs in zip(resumed.model.parameters(), training.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
