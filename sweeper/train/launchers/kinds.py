"""Kinds of runs: the runs of a kind have equally long epochs."""

import json
import random
from collections.abc import Sequence
from typing import Any

from sweeper.config.schema import RECIPE

FIRST, DRAWN = 32, 64  # runs of a large sweep whose kinds are read: composing each takes milliseconds


def runs_to_read(numbers: Sequence[int]) -> list[int]:
    """The runs from whose kinds those of a sweep are known: of many the first ones, with which a trial begins, and some
    that are drawn by chance, always the same, so that no axis is passed over."""
    if len(numbers) <= FIRST + DRAWN:
        return list(numbers)
    return sorted({*numbers[:FIRST], *random.Random(0).sample(numbers, DRAWN)})


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
