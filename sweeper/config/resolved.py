"""A run's resolved configuration."""

import contextlib
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sweeper.config.schema import _number
from sweeper.runs.identity import GROUPS, flat, is_identity
from sweeper.system.errors import BadInput

# Those that options ask for; of `device.compile` the record's configuration tells.
OPTIONS = {"device.kind": "device", "device.precision": "precision", "device.threads": "threads"}


@dataclass(frozen=True)
class Cell:
    """One run that was asked for: its resolved configuration, its directory, and its number among Hydra's jobs."""

    config: dict[str, Any]
    directory: Path
    number: int


def resolve_config(cfg: DictConfig, choices: dict[str, str]) -> dict[str, Any]:
    """A composed configuration as the plain dictionary that everything after Hydra works with.

    Each group's node gets the chosen option's `name`; the factors on learning rate and weight decay are multiplied
    in and dropped, so a run found through a factor and one with the value written out are the same run.
    """
    config: dict[str, Any] = {}
    for key in cfg:
        if key != "hydra":
            node = cfg._get_node(key)
            plain = OmegaConf.is_config(node)
            config[str(key)] = OmegaConf.to_container(node, resolve=True) if plain else cfg[key]
    for group in GROUPS:
        if isinstance(config[group], list):
            raise BadInput(f"{group}={choices[group]}: its YAML is a list; it must be lines `name: value`")
        options, name = config[group] or {}, choices[group]
        if options.get("name", name) != name:  # two YAMLs of one name would be taken for one choice, in runs and tables
            raise BadInput(f"{group}={name}: its name is {name}, by its file; take out name: {options['name']}")
        config[group] = {"name": name, **options}
    if (file := config["noise"]["file"]) is not None:  # the labels are a part of what is trained on, their path isn't
        with contextlib.suppress(OSError):  # said where the labels are read
            config["noise"]["file_digest"] = hashlib.sha256(Path(file).expanduser().read_bytes()).hexdigest()[:16]
    for recommended in ("epochs", "batch_size"):  # they stand at the top, where the command line may have changed them
        config["dataset"].pop(recommended, None)
    for key, factor in (("lr", config.pop("lr_factor")), ("weight_decay", config.pop("weight_decay_factor"))):
        if not _number(factor) or not 0 < factor < math.inf:
            raise BadInput(f"{key}_factor={factor}: must be a number above 0")
        value = config["optimizer"].get(key)
        if factor != 1 and _number(value):
            config["optimizer"][key] = float(f"{value * factor:.12g}")
    return config


def resolve_once(cfg: DictConfig, choices: dict[str, str]) -> dict[str, Any]:
    """The same, kept with a configuration that Hydra composed and with its copies: a run is named, logged and trained
    by one resolved configuration."""
    kept = OmegaConf.get_cache(cfg)["sweeper.config"]
    if "config" not in kept:
        kept["config"] = resolve_config(cfg, choices)
    config: dict[str, Any] = kept["config"]
    return config


def other_circumstances(asked: dict[str, Any], run: dict[str, Any], here: str) -> list[str]:
    """Where a finished run was made otherwise than now asked for, e.g. `device.precision=bf16`; not its identity.

    Of the device counts what was used, not what was asked for then.

    Args:
        asked: the configuration, with its paths as the run's record has them.
        run: the record.
        here: the kind of device that `auto` is on this machine.
    """
    used = {name: run["environment"].get(key) for name, key in OPTIONS.items()}
    then = dict(flat(run["config"])) | {name: value for name, value in used.items() if value is not None}
    now = dict(flat(asked))
    if now["device.kind"] == "auto":
        now["device.kind"] = here
    ignored = (
        "device.name",
        "outputs",
        "rerun",
        "fail_fast",
        "record_host",
        "checkpoint_every",
        "dataset.workers",
        "noise.file",
    )
    left_open = {name for name in OPTIONS if now[name] in ("auto", None)}  # it would be what it was, or as good
    return [
        f"{name}={then[name]}"
        for name, value in now.items()
        if name in then
        and then[name] != value
        and not is_identity(name)
        and name not in left_open
        and not name.startswith(ignored)
    ]
