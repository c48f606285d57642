"""The typed schema of a run's configuration, and its validation. The values are in `conf/`. No torch."""

import contextlib
import math
import os
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from sweeper.runs.checks import is_plain_number
from sweeper.system.errors import BadInput, nearest
from sweeper.system.limits import LARGEST_SEED, MOST_EPOCHS
from sweeper.system.machine import DEVICE_KINDS

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
SWITCHES = ("auto", "true", "false")
# Options whose value is a text. They have no type here: OmegaConf would turn what YAML has read as a number into a text
# that nobody has typed, 007 into 7.
TEXTS = ("tag", "outputs", "dataset.root", "noise.file")

# Options that change the training recipe and are off with null, so that they rename no older run.
RECIPE = ("label_smoothing", "clip_grad_norm", "ema", "drop_last")


@dataclass
class DeviceConfig:
    kind: str = MISSING
    precision: str = MISSING
    threads: int | None = MISSING
    compile: str = MISSING
    deterministic: bool = MISSING


@dataclass
class DatasetConfig:
    loader: str = MISSING
    name: Any = None  # a text, of dataset=hub alone; the others are named by their files
    root: Any = MISSING  # of TEXTS, or null
    workers: int | None = MISSING
    validation_fraction: float = MISSING
    test_fraction: float | None = None  # users' YAMLs of before it don't have it
    train_limit: int | None = MISSING
    test_limit: int | None = MISSING
    image_size: int | None = MISSING
    crop_padding: int = MISSING
    flip: bool = MISSING
    epochs: int = MISSING
    batch_size: int = MISSING


@dataclass
class NoiseConfig:
    kind: str = MISSING
    rate: float = MISSING
    seed: int = MISSING
    own_class: bool = MISSING
    file: Any = MISSING  # of TEXTS, or null


@dataclass
class Config:
    """A run's configuration. Model, optimizer and schedule are `_target_` nodes with the options of their class."""

    device: DeviceConfig = MISSING
    dataset: DatasetConfig = MISSING
    model: Any = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    noise: NoiseConfig = MISSING
    tracking: Any = MISSING
    seed: int = MISSING
    epochs: int = MISSING
    batch_size: int = MISSING
    lr_factor: float = MISSING
    weight_decay_factor: float = MISSING
    decay_factor: float | None = MISSING
    decay_norms_and_biases: bool = MISSING
    label_smoothing: float | None = MISSING
    clip_grad_norm: float | None = MISSING
    ema: float | None = MISSING
    drop_last: bool | None = MISSING
    divergence_loss: float | None = MISSING
    target_accuracy: float | None = MISSING
    tag: Any = MISSING  # of TEXTS, or null
    outputs: Any = MISSING  # of TEXTS
    rerun: bool = MISSING
    fail_fast: bool = MISSING
    save_model: bool = MISSING
    checkpoint_every: int | None = MISSING
    resumable: bool = MISSING
    record_host: bool = MISSING
    price_per_hour: float | None = MISSING


ConfigStore.instance().store(name="schema", node=Config, provider="sweeper")


def check_config(config: dict[str, Any]) -> None:
    """Validate every value that can be validated without torch.

    Raises:
        BadInput: a value is out of its range; the error names the option, the value and the range.
    """
    _at_least(config, {"seed": 0, "epochs": 1, "batch_size": 1, "checkpoint_every": 1})
    _at_least(config["device"], {"threads": 1}, "device.")
    if config["seed"] >= LARGEST_SEED:
        raise BadInput("seed: must be an integer of at most 100 digits")
    if config["epochs"] >= MOST_EPOCHS:
        raise BadInput(f"epochs={config['epochs']}: must be below {MOST_EPOCHS}")
    limits = {"workers": 0, "train_limit": 1, "test_limit": 1, "image_size": 1, "crop_padding": 0}
    _at_least(config["dataset"], limits, "dataset.")
    _at_least(config["noise"], {"seed": 0}, "noise.")
    _one_of("device.kind", config["device"]["kind"], DEVICE_KINDS)
    _one_of("device.precision", config["device"]["precision"], PRECISIONS)
    _one_of("device.compile", str(config["device"]["compile"]).lower(), SWITCHES)
    _within("noise.rate", config["noise"]["rate"], 0, 1, example=0.2)
    _within("dataset.validation_fraction", config["dataset"]["validation_fraction"], 0, 1, above_ok=False)
    test_fraction = config["dataset"].get("test_fraction")
    _within("dataset.test_fraction", test_fraction, 0, 1, below_ok=False, above_ok=False, example=0.2)
    _within("target_accuracy", config["target_accuracy"], 0, 1, below_ok=False, example=0.95)
    _within("label_smoothing", config["label_smoothing"], 0, 1, above_ok=False)
    _within("clip_grad_norm", config["clip_grad_norm"], 0, math.inf, below_ok=False, above_ok=False, or_null=True)
    _within("ema", config["ema"], 0, 1, below_ok=False, above_ok=False, example=0.999, or_null=True)
    _within("divergence_loss", config["divergence_loss"], 0, math.inf, below_ok=False, above_ok=False)
    _within("price_per_hour", config["price_per_hour"], 0, math.inf, above_ok=False)
    if config["noise"]["kind"] == "none" and config["noise"]["rate"]:
        told = "noise=none has no rate; choose e.g. noise=symmetric, or noise.rate=0"
        told += "; for both leave it out, or give two commands"
        raise BadInput(f"noise.rate={config['noise']['rate']}: {told}")
    for group in ("model", "optimizer", "schedule"):
        if not isinstance(config[group].get("_target_"), str):
            raise BadInput(f"{group}={config[group]['name']}: its YAML names no `_target_`")
    _check_optimizer(config["optimizer"])
    _within("schedule.warmup_fraction", config["schedule"].get("warmup_fraction"), 0, 1)
    if len(config["tag"] or "") > 100:
        raise BadInput("tag: longer than 100 characters")
    if config["outputs"] is None:
        raise BadInput("outputs=null: the runs need a folder; give its name")
    for name in ("tag", "outputs"):
        if config[name] == "":
            raise BadInput(f"{name}=: nothing is given; give a name, or leave it out")
    if "${" in (folder := os.path.abspath(config["outputs"])):  # Hydra resolves the folder of a run once more
        raise BadInput(
            f"outputs={config['outputs']}: Hydra would replace the ${{…}} in {folder}; choose another folder"
        )


def _check_optimizer(optimizer: dict[str, Any]) -> None:
    """Validate options that mean the same in every optimizer; each constructor validates its other options."""
    if "lr" in optimizer and optimizer["lr"] is None:
        raise BadInput("optimizer.lr=null: must be a number above 0")
    _within("optimizer.lr", optimizer.get("lr"), 0, math.inf, below_ok=False, above_ok=False)
    for name in ("weight_decay", "eps"):
        if is_plain_number(optimizer.get(name)) or decoding(name, optimizer.get(name)):
            _within(f"optimizer.{name}", optimizer.get(name), 0, math.inf, above_ok=False)
    _within("optimizer.momentum", optimizer.get("momentum"), 0, 1, above_ok=False)
    betas = optimizer.get("betas")
    for k, beta in enumerate(betas if isinstance(betas, (list, tuple)) else ()):
        _within(f"optimizer.betas[{k}]", beta, 0, 1, above_ok=False)


def _at_least(node: dict[str, Any], lowest: dict[str, int], prefix: str = "") -> None:
    for name, least in lowest.items():
        value = node[name]
        if value is not None and value < least:
            raise BadInput(f"{prefix}{name}={value}: must be an integer of at least {least}")


def _within(
    name: str,
    value: Any,
    low: float,
    high: float,
    *,
    below_ok: bool = True,
    above_ok: bool = True,
    example: float | None = None,
    or_null: bool = False,
) -> None:
    """Check low < value < high. `below_ok` and `above_ok` allow the ends themselves; None passes.

    Args:
        or_null: name null in the error, where a user may take 0 for off.
    """
    if value is None:
        return
    words = f"{'from' if below_ok else 'above'} {low:g}"
    if high < math.inf:
        words += f" {'and below' if not above_ok else 'to' if below_ok else 'and at most'} {high:g}"
    if example is not None:
        words += f", such as {example:g}"
    if or_null:
        words += "; null turns it off"
    if not is_plain_number(value):
        is_text = "is a text and " * isinstance(value, str)
        raise BadInput(f"{name}={value}: {is_text}must be a number {words}{decoding(name, value)}")
    above = value >= low if below_ok else value > low
    below = value <= high if above_ok else value < high
    if not (above and below):
        raise BadInput(f"{name}={value:.12g}: must be {words if math.isfinite(value) else f'a finite number {words}'}")


def decoding(name: str, value: Any) -> str:
    """How a text that looks like a number becomes one, for the end of an error; "" for anything else."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            float(value)
            how = f"'{name.partition('[')[0]}=\"${{oc.decode:${{oc.env:NAME}}}}\"'"
            return f"; the text of an environment variable becomes a number by oc.decode, {how}"
    return ""


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadInput(f"{name}={value}: {nearest(value, choices)}")
