"""A run's identity: the part of its configuration that determines its result, and its name and hash."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweeper.system.paths import relative
from sweeper.system.text import shortened

# The rule by which a configuration is named; a record is checked by the rule of its own version. Rule 2: a precision
# that is asked for by name is part of the identity. A run that both rules treat alike has the same name by both.
IDENTITY_VERSION = 2
# Incremented when the same configuration would train differently, so that old results are never used as new ones.
_HASH_VERSION = 1

# Current names, and the former names that recorded configurations and identities contain.
FORMER_NAMES = {
    "sweeper.models.wide_resnet": "sweeper.zoo.wide_resnet",
    "sweeper.models.densenet": "sweeper.zoo.densenet",
    "sweeper.models.mobilenet": "sweeper.zoo.mobilenet",
    "sweeper.models.vit_tiny": "sweeper.zoo.vit_tiny",
    "sweeper.datasets.folder": "sweeper.folder.folder",
    "sweeper.train.trackers.mlflow.MLflow": "sweeper.trackers.mlflow.MLflow",
    "sweeper.train.trackers.tensorboard.TensorBoard": "sweeper.trackers.tensorboard.TensorBoard",
    "sweeper.train.trackers.wandb.WandB": "sweeper.trackers.wandb.WandB",
}
NAMES_OF_TODAY = {former: name for name, former in FORMER_NAMES.items()}

HUB = "sweeper.datasets.hub"  # the loader whose sets have names of their own
GROUPS = ("device", "dataset", "model", "optimizer", "schedule", "noise", "tracking")

# Options for where and how a run trains, and which of its files are kept. All other options are its identity, and
# `PRECISION` is if it isn't `auto`.
PRECISION = "device.precision"
NOT_IDENTITY = frozenset(
    {
        "device",
        "tracking",
        "outputs",
        "rerun",
        "fail_fast",
        "save_model",
        "checkpoint_every",
        "resumable",
        "target_accuracy",
        "record_host",
        "price_per_hour",
        "tuned",  # how the optimizer's values were chosen
        "dataset.root",
        "dataset.workers",
        "noise.file",  # identified by its content, `noise.file_digest`
    }
)
FILE_DIGEST = "file_digest"  # in `noise`

NAMED_AS_A_RUN = re.compile(r"-seed\d+-(?P<hash>[0-9a-f]{8})$")  # the end of what `run_name` returns

# Names of devices on Windows, also with any extension.
_RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)\d", re.IGNORECASE)


def digest_of(labels: bytes) -> str:
    """Of the content of `noise.file`."""
    return hashlib.sha256(labels).hexdigest()[:16]


def flat(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its dotted name; a list is one value.

    >>> dict(flat({"seed": 1, "optimizer": {"lr": 0.1, "betas": [0.9, 0.99]}}))
    {'seed': 1, 'optimizer.lr': 0.1, 'optimizer.betas': [0.9, 0.99]}
    """
    for key, value in config.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def is_identity(name: str) -> bool:
    """Whether the option of this dotted name is part of a run's identity.

    >>> is_identity("optimizer.lr"), is_identity("dataset.root"), is_identity("device.kind")
    (True, False, False)
    """
    return name == PRECISION or (name not in NOT_IDENTITY and name.partition(".")[0] not in NOT_IDENTITY)


def identity_config(config: dict[str, Any], version: int = IDENTITY_VERSION) -> dict[str, Any]:
    """The part of a run's resolved configuration that determines its result, in canonical form.

    Options that are null are dropped, so a new option with the default null renames no old run. Floats with an integer
    value become integers, so `1` and `1.0` give the same run. The precision `auto` is dropped like a null.
    """
    canonical: dict[str, Any] = _canonical(
        {
            key: {k: v for k, v in value.items() if is_identity(f"{key}.{k}")} if isinstance(value, dict) else value
            for key, value in config.items()
            if is_identity(key)
        }
    )
    if version > 1 and (precision := named_precision(config)) is not None:
        canonical["device"] = {"precision": precision}
    return canonical


def named_precision(config: dict[str, Any]) -> str | None:
    """The precision that is asked for by name; None if the device chooses it."""
    device = config.get("device")
    precision = device.get("precision") if isinstance(device, dict) else None
    return None if precision in (None, "auto") else str(precision)


def run_hash(config: dict[str, Any], version: int = IDENTITY_VERSION) -> str:
    """Eight hexadecimal digits of SHA-256 over the identity; independent of the order of keys."""
    text = json.dumps([_HASH_VERSION, identity_config(config, version)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def run_name(config: dict[str, Any], version: int = IDENTITY_VERSION) -> str:
    """The run's directory below `outputs`: `<dataset>-<model>/<optimizer>[-<noise>]-seed<k>-<hash8>`."""
    names = {group: _file_name(config[group]["name"]) for group in ("dataset", "model", "optimizer", "noise")}
    noise = "" if names["noise"] == "none" else f"-{names['noise']}"
    folder = f"{names['dataset']}-{names['model']}"
    return f"{folder}/{names['optimizer']}{noise}-seed{config['seed']}-{run_hash(config, version)}"


def recorded_version(record: dict[str, Any]) -> int:
    """The version of the rule by which a record's run was named; older records don't state it."""
    version = record.get("identity_version", 1)
    return version if isinstance(version, int) else 1


def contradiction(directory: Path, record: dict[str, Any]) -> str | None:
    """Why a record doesn't belong to the run that the directory is named after; None if it does.

    A directory that isn't named like a run, such as a renamed copy, may hold any record.
    """
    named = NAMED_AS_A_RUN.search(os.path.basename(os.path.abspath(directory)))
    if named is None:
        return None
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, RecursionError):  # not a configuration
        config, version = record["config"], recorded_version(record)
        if run_hash(config, version) == named["hash"]:
            return None
        return shortened(f"of another run, {run_name(config, version)}", 300)
    return "of no run that can be named"


def _file_name(choice: str) -> str:
    """A choice's name as part of a file name on any system: no separators, no leading dots, at most 40 characters."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", choice).lstrip(".")[:40].rstrip(".") or "_"
    return f"_{name}" if _RESERVED.fullmatch(name.partition(".")[0]) else name


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _canonical(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_canonical(v) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return FORMER_NAMES.get(value, value)
    return value


def with_relative_paths(config: dict[str, Any], directory: Path) -> dict[str, Any]:
    """The configuration with paths relative to `directory`, so that a folder of runs can be moved."""
    paths = {"dataset": "root", "noise": "file"}
    changed = {
        group: {**config[group], name: relative(config[group][name], directory)}
        for group, name in paths.items()
        if config[group].get(name)
    }
    return {**config, **changed, "outputs": relative(config["outputs"], directory)}
