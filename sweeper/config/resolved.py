"""Resolves a composed configuration, and compares it with a finished run's record."""

import contextlib
import copy
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sweeper.config.factors import FACTORS, apply_factors
from sweeper.config.named_optimizer import complete, is_named
from sweeper.config.schema import TEXTS
from sweeper.config.tuned import tuned_words
from sweeper.runs.identity import FILE_DIGEST, GROUPS, HUB, digest_of, flat, is_identity
from sweeper.system.errors import BadInput
from sweeper.system.files import read_file
from sweeper.system.limits import LABELS_BYTES
from sweeper.system.paths import given_path

# Options and the facts of `environment` that record what was used. `device.compile` is compared by the configuration.
OPTIONS = {
    "device.kind": "device",
    "device.threads": "threads",
    "device.deterministic": "deterministic",
}

_ON_HUB = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?)?")  # owner, set, configuration


@dataclass(frozen=True)
class Cell:
    """One requested run: its resolved configuration, its directory, and its number among Hydra's jobs."""

    config: dict[str, Any]
    directory: Path
    number: int


def resolve_config(cfg: DictConfig, choices: dict[str, str]) -> dict[str, Any]:
    """Turn a composed configuration into the plain dictionary that all later code uses.

    Each group's node gets the `name` of its choice. The factors of learning rate and weight decay become values, which
    an interpolation such as a schedule's `max_lr: ${optimizer.lr}` sees too.
    """
    config = _plain(cfg, choices)
    given = dict(config["optimizer"])
    apply_factors(config)
    multiplied = {name: value for name, value in config["optimizer"].items() if value != given[name]}
    if multiplied and _refers_to(multiplied, cfg):
        cfg = copy.deepcopy(cfg)
        for name, value in multiplied.items():
            OmegaConf.update(cfg, f"optimizer.{name}", value)
        config = {name: value for name, value in _plain(cfg, choices).items() if name not in FACTORS}
    fact = config["optimizer"].pop("tuned", None)
    if (tuned := tuned_words(fact, config)) is not None:
        config["tuned"] = tuned
    return config


def _plain(cfg: DictConfig, choices: dict[str, str]) -> dict[str, Any]:
    """The dictionary with its factors."""
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
        if group == "optimizer" and is_named(options):
            config[group] = complete(options)
            continue
        if group == "dataset" and options.get("loader") == HUB:
            name = _name_on_hub(options.get("name"))
        if options.get("name") not in (None, name):  # two YAMLs with one name would be mixed up in runs and tables
            raise BadInput(f"{group}={name}: its name is {name}, by its file; take out name: {options['name']}")
        config[group] = {"name": name} | options | {"name": name}
    _check_texts(cfg, config)
    if config["outputs"]:  # an empty one is refused later
        config["outputs"] = str(given_path(config["outputs"], "outputs="))
    for group, name in (("dataset", "root"), ("noise", "file")):
        if config[group].get(name):
            config[group][name] = str(given_path(config[group][name], f"{group}.{name}="))
    if (file := config["noise"]["file"]) is not None:  # the labels are part of the identity, their path isn't
        with contextlib.suppress(OSError):  # reported when the labels are read; without it no run is trained
            config["noise"][FILE_DIGEST] = digest_of(read_file(Path(file), LABELS_BYTES))
    for recommended in ("epochs", "batch_size"):  # used by the options of these names at the top level
        config["dataset"].pop(recommended, None)
    for name in ("label_smoothing", "drop_last"):  # 0 and false are off, as null is: the same run
        config[name] = config[name] or None
    return config


def _refers_to(options: Iterable[str], cfg: DictConfig) -> bool:
    """Whether a value is an interpolation with one of these names, such as `${optimizer.lr}` or `${.lr}`, or with the
    optimizer as a whole."""
    nodes = {key: cfg._get_node(key) for key in cfg if key != "hydra"}
    written = {k: OmegaConf.to_container(n) if OmegaConf.is_config(n) else str(n) for k, n in nodes.items()}
    texts = [str(value) for _, value in flat(written)]
    name = re.compile(rf"\b({'|'.join(options)}|optimizer)\b")
    return any("${" in text and name.search(text) for text in texts)


def _name_on_hub(name: Any) -> str:
    if not isinstance(name, str) or not _ON_HUB.fullmatch(name):
        given = "null" if name is None else name
        raise BadInput(f"dataset.name={given}: dataset=hub needs a set's name, such as dataset.name=ylecun/mnist")
    return name


def _check_texts(cfg: DictConfig, config: dict[str, Any]) -> None:
    """Check that the values of `TEXTS` are texts; an interpolation's value becomes one.

    Raises:
        BadInput: YAML has read a value as a number or a bool, so the text that was typed is lost.
    """
    for name in TEXTS:
        group, _, key = name.rpartition(".")
        node, plain = (cfg[group], config[group]) if group else (cfg, config)
        value = plain[key]
        if isinstance(value, (str, type(None))):
            continue
        if not OmegaConf.is_interpolation(node, key):
            quote = f"put it in quotes, in YAML {key}: '007', in a sweep of YAML {key}: \"'007','1e5'\""
            raise BadInput(f"{name}={value}: wasn't read as a text; {quote}")
        plain[key] = str(value)


def resolve_once(cfg: DictConfig, choices: dict[str, str]) -> dict[str, Any]:
    """The same, kept with a configuration that Hydra composed and with its copies: a run is named, logged and trained
    by one resolved configuration."""
    kept = OmegaConf.get_cache(cfg)["sweeper.config"]
    if "config" not in kept:
        kept["config"] = resolve_config(cfg, choices)
    config: dict[str, Any] = kept["config"]
    return config


def other_circumstances(asked: dict[str, Any], run: dict[str, Any], here: str) -> list[str]:
    """The options outside the identity in which a finished run differs from the request, e.g. `save_model=false`.

    For the device's options the values that the run used are compared, not those that it was given.

    Args:
        asked: the requested configuration, with paths as in the run's record.
        run: the run's record.
        here: the kind of device that `auto` chooses on this machine.
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
        "price_per_hour",
        "checkpoint_every",
        "resumable",
        "dataset.workers",
        "noise.file",
        "tuned",
    )
    left_open = {name for name in OPTIONS if now[name] in ("auto", None)}  # any value satisfies the request
    return [
        f"{name}={then[name] if isinstance(then[name], str) else json.dumps(then[name])}"
        for name, value in now.items()
        if name in then
        and then[name] != value
        and not is_identity(name)
        and name not in left_open
        and not name.startswith(ignored)
    ]
