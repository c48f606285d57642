"""Names a run of a sweep by what varies in it, for the line that reports its end."""

import json
import os
import random
from collections.abc import Sequence
from typing import Any

from sweeper.aggregate.labels import telling, text, texts
from sweeper.runs.identity import flat, identity_config
from sweeper.system.text import percent

VARIES_VARIABLE = "SWEEPER_VARIES"  # the names of what varies in the sweep, for the launcher's workers
MOST = 200
_BY_FACTOR = ("optimizer.weight_decay", "optimizer.adamw_lr", "optimizer.adamw_weight_decay")


def what_varies(configs: Sequence[dict[str, Any]]) -> list[str]:
    """The names of groups and options that distinguish a sweep's runs: groups first, the seed last.

    Of a larger sweep `MOST` runs are looked at, drawn by chance so that no axis is passed over.
    """
    configs = random.Random(0).sample(configs, MOST) if len(configs) > MOST else configs
    named = [texts(identity_config(config)) | _choices(config) for config in configs]
    return sorted(telling(named), key=lambda name: (name == "seed", name not in _choices(configs[0]), name))


def label_run(config: dict[str, Any], overrides: Sequence[str] = ()) -> str:
    """A run of the sweep at work by what varies, e.g. `sgd, lr 0.03, seed 1`; "" if nothing does or there is none.

    Args:
        overrides: the run's own. A factor of lr x weight decay stands for the values that it gives: `decay ×0.3162`.
    """
    choices, values = _choices(config), dict(flat(config))
    names = json.loads(os.environ.get(VARIES_VARIABLE, "[]"))
    given = [word.partition("=")[2] for word in overrides if word.startswith("decay_factor=")]
    if given and "optimizer.weight_decay" in names:
        names = [name for name in names if name not in _BY_FACTOR]
        values["decay"] = f"×{given[-1]}"
        place = names.index("optimizer.lr") + 1 if "optimizer.lr" in names else len(names) - ("seed" in names)
        names.insert(place, "decay")
    words = []
    for name in names:
        if name in choices:
            words.append(choices[name])
        elif (value := values.get(name)) is not None:
            said = f"{value:.4g}" if isinstance(value, float) else text(value)
            words.append(f"{name.removeprefix('optimizer.')} {said}")
    return ", ".join(words)


def score_words(result: dict[str, Any]) -> str:
    """The accuracy that a run is judged by: on validation images if any were held out."""
    if (validation := result.get("final_val_accuracy")) is not None:
        return f"validation {percent(validation)}"
    return f"test {percent(result.get('final_test_accuracy'))}"


def _choices(config: dict[str, Any]) -> dict[str, str]:
    """The choice of each group that determines the result."""
    groups = {key: config[key] for key, value in identity_config(config).items() if isinstance(value, dict)}
    return {key: group["name"] for key, group in groups.items() if "name" in group}
