"""Names a run of a sweep by what varies in it, for the line that reports its end."""

import json
import os
import random
from collections.abc import Sequence
from typing import Any

from sweeper.aggregate.labels import telling, text, texts
from sweeper.runs.identity import flat, identity_config

VARIES_VARIABLE = "SWEEPER_VARIES"  # the names of what varies in the sweep, for the launcher's workers
MOST = 200


def what_varies(configs: Sequence[dict[str, Any]]) -> list[str]:
    """The names of groups and options that distinguish a sweep's runs: groups first, the seed last.

    Of a larger sweep `MOST` runs are looked at, drawn by chance so that no axis is passed over.
    """
    configs = random.Random(0).sample(configs, MOST) if len(configs) > MOST else configs
    named = [texts(identity_config(config)) | _choices(config) for config in configs]
    return sorted(telling(named), key=lambda name: (name == "seed", name not in _choices(configs[0]), name))


def label_run(config: dict[str, Any]) -> str:
    """A run of the sweep at work by what varies, e.g. `sgd, lr 0.03, seed 1`; "" if nothing does or there is none."""
    choices, values = _choices(config), dict(flat(config))
    words = []
    for name in json.loads(os.environ.get(VARIES_VARIABLE, "[]")):
        if name in choices:
            words.append(choices[name])
        elif (value := values.get(name)) is not None:
            said = f"{value:.4g}" if isinstance(value, float) else text(value)
            words.append(f"{name.removeprefix('optimizer.')} {said}")
    return ", ".join(words)


def _choices(config: dict[str, Any]) -> dict[str, str]:
    """The choice of each group that determines the result."""
    groups = {key: config[key] for key, value in identity_config(config).items() if isinstance(value, dict)}
    return {key: group["name"] for key, group in groups.items() if "name" in group}
