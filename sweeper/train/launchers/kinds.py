"""Kinds of runs: the runs of a kind have equally long epochs."""

import json
from typing import Any

from sweeper.config.schema import RECIPE


def kind_of_work(config: dict[str, Any]) -> str:
    """A key that is the same for configurations with equally long epochs: lr, the seed and such don't matter."""
    optimizer = {key: value for key, value in config["optimizer"].items() if key not in ("lr", "weight_decay")}
    parts = [config["dataset"], config["model"], _without_fractions(optimizer), config["batch_size"], config["device"]]
    used = [config["noise"]["kind"] != "none", *(config[name] is not None for name in RECIPE)]
    return json.dumps([*parts, *used], sort_keys=True)


def _without_fractions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_fractions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_fractions(item) for item in value]
    return "a fraction" if isinstance(value, float) else value
