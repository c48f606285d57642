"""Checks that an override names an option that there is, with a value of its kind; the error says what to type."""

import sys
from collections.abc import Mapping
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from sweeper.config import spelling, suggestions
from sweeper.config.named_optimizer import is_named
from sweeper.config.overrides import FREE_NODES, Groups, near
from sweeper.config.schema import decoding
from sweeper.runs.identity import flat
from sweeper.system.command import called
from sweeper.system.errors import BadInput, nearest, nearest_of
from sweeper.system.text import shortened


def check_option(override: Override, known: Mapping[str, Any], groups: Groups, typed: str) -> None:
    """Check that a plain override names an option of the composed configuration and has the right kind of value.

    Args:
        known: the configuration's values by dotted name, unresolved.
        typed: the override with all of a sweep's values, of which it has one.

    Raises:
        BadInput: the option doesn't exist, or the value has the wrong kind, such as a text for a number.
    """
    key, value = override.key_or_group, override.value()
    if isinstance(value, int) and abs(value) > sys.float_info.max and key != "seed":
        raise BadInput(f"{shortened(override.input_line or '', 60)}: too large a number; a float goes up to 1.8e308")
    parents = {name.rpartition(".")[0] for name in known}
    inside_a_value = any(key.startswith((f"{name}.", f"{name}[")) for name in known)  # e.g. optimizer.betas[0]
    if key not in known and key not in parents and not inside_a_value:
        raise BadInput(f"{typed}: {_no_option(key, typed, known, groups)}")
    if key.partition(".")[0] in FREE_NODES:
        _check_kind(override, known.get(key), value, typed)


def _no_option(key: str, typed: str, known: Mapping[str, Any], groups: Groups) -> str:
    """Why nothing has an option of this name, and what to type."""
    values = typed.partition("=")[2]
    if (how := suggestions.otherwise(key)) is not None:
        return f"there is no such option: {how}"
    optimizer = {k[10:]: v for k, v in known.items() if k[:10] == "optimizer."}
    if key == "name" and is_named(optimizer):
        return f"there is no option 'name'; write {spelling.written('optimizer.name', spelling.split_values(values))}"
    option = suggestions.option(key, [*known, *groups]) if "." not in key else None
    if option is not None and option.startswith("optimizer.") and option not in known:
        return f"this optimizer has no option '{option}'; {nearest(option, near(option, known))}"
    if option is not None:
        write = spelling.meant(option, spelling.split_values(values), groups) if values else f"{option}="
        return f"there is no option '{key}'; write {write}"
    if key.startswith("optimizer.") and is_named(optimizer):
        write = spelling.written(f"+{key}".replace("optimizer.args.", "optimizer."), spelling.split_values(values))
        return f"optimizer=any takes the arguments of its class with a plus; write {write}"
    if key == "optimizer.name":
        arms = '--arm "sgd: optimizer=sgd" --arm "ademamix: optimizer=any optimizer.name=AdEMAMix"'
        return f"only optimizer=any takes a name; for both kinds write -m {arms}"
    head, dot, last = key.partition(".")
    if dot and not any(name.startswith(f"{head}.") for name in known):  # the group is misspelt
        head = nearest_of(head, [name.partition(".")[0] for name in known if "." in name]) or head
    meant = f"{head}{dot}{last}"
    alike = [*near(meant, known), *(g for g in groups if "/" not in g and "." not in meant)]
    return f"there is no option '{key}'; {nearest(meant, alike, called('train') + ' --help')}"


def check_resolved(override: Override, before: Mapping[str, Any], config: dict[str, Any]) -> None:
    """Check the kind of what an interpolation has resolved to, such as an environment variable's text for a number.

    Args:
        before: the values of the composed configuration without the override, by dotted name, unresolved.
        config: the resolved one with it.
    """
    key = override.key_or_group
    if key.partition(".")[0] in FREE_NODES and "${" in str(override.value()):
        _check_kind(override, before.get(key), dict(flat(config)).get(key), override.input_line or "")


def check_times(cfg: DictConfig) -> None:
    """Check that no YAML has a time: each process would resolve it differently, and so name the run differently."""
    options = {str(key): cfg._get_node(key) for key in cfg if key != "hydra"}
    for name, value in flat(OmegaConf.to_container(OmegaConf.create(options), resolve=False)):
        if "${now:" in str(value):
            differs = "each process would resolve the time differently"
            raise BadInput(f"{name}: {value}: {differs}; take it out of the YAML, and give '{name}={value}'")


def _check_kind(override: Override, there: Any, given: Any, typed: str) -> None:
    """Check a value against the kind of the value in conf/; options of third-party classes have no schema."""
    if given is None or isinstance(given, dict) or "${" in str(given):
        return
    if isinstance(there, bool):
        fits, words = isinstance(given, bool), "true or false"
    elif isinstance(there, (int, float)):
        fits, words = isinstance(given, (int, float)) and not isinstance(given, bool), f"a number, such as {there}"
    elif isinstance(there, list):
        fits, words = isinstance(given, list), f"a list, such as {there}"
    else:
        return
    if not fits:
        is_text = f"{given} is a text and " if given != override.value() and isinstance(given, str) else ""
        key, _, values = typed.partition("=")
        form = spelling.right_list if isinstance(there, list) else spelling.right_numbers
        write = None if isinstance(there, bool) else form(key, spelling.split_values(values))
        advice = f"; write {write}" if write is not None else decoding(key, given)
        raise BadInput(f"{typed if write else override.input_line}: {is_text}must be {words}{advice}")
