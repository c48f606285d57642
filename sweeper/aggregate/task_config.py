"""Finds the task of a run: its configuration without optimizer, the optimizer's own schedule, and seed."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sweeper.system.files import CONF

Config = dict[str, Any]  # the configuration that determines a run's result, without the seed

_OVERRIDES_SCHEDULE = re.compile(r"^\s*-\s*override /schedule(?:@\S+)?:\s*(\S+)", re.MULTILINE)


def task_configs(configs: Mapping[str, Config]) -> dict[str, Config]:
    """The task of each configuration. Runs of equal tasks are compared.

    The schedule is part of the task. An optimizer whose YAML chooses its own schedule joins the task that is otherwise
    the same, if there is exactly one.
    """
    schedules: dict[str, dict[str, Any]] = {}
    for config in configs.values():
        if not brings_schedule(config):
            schedule = config.get("schedule")
            schedules.setdefault(_text(_without_schedule(config)), {})[_text(schedule)] = schedule
    found = {}
    for name, config in configs.items():
        others = list(schedules.get(_text(_without_schedule(config)), {}).values())
        joins = brings_schedule(config) and len(others) == 1
        schedule = others[0] if joins else config.get("schedule")
        found[name] = _without_schedule(config) | {"schedule": schedule}
    return found


def brings_schedule(config: Config) -> bool:
    """Whether the schedule is the one that the optimizer's YAML chooses, as for schedule-free optimizers."""
    optimizer, schedule = _name(config.get("optimizer")), _name(config.get("schedule"))
    return schedule is not None and own_schedules().get(optimizer or "") == schedule


@cache
def own_schedules(*folders: Path) -> dict[str, str]:
    """The schedules by optimizer, for each optimizer whose YAML chooses a schedule.

    Args:
        folders: configuration folders besides conf/, see `--config-dir`.
    """
    found = {}
    for file in (file for folder in (*folders, CONF) for file in (folder / "optimizer").glob("*.yaml")):
        # A file that isn't UTF-8 is refused by whatever composes it; here none is composed, and names are ASCII.
        if choice := _OVERRIDES_SCHEDULE.search(file.read_text(encoding="utf-8", errors="replace")):
            found[file.stem] = choice[1]
    return found


def _without_schedule(config: Config) -> Config:
    return {key: value for key, value in config.items() if key not in ("optimizer", "schedule", "seed")}


def _name(group: Any) -> str | None:
    name = group.get("name") if isinstance(group, dict) else None
    return name if isinstance(name, str) else None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
