"""Names a run of a sweep by its arm and by what varies in it, for the line that reports its end and the live table."""

import contextlib
import json
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sweeper.aggregate.labels import telling, text, texts
from sweeper.config.grid import Grid
from sweeper.runs.arms import Member, read_arms
from sweeper.runs.asked import EQUAL
from sweeper.runs.identity import flat, identity_config, run_name
from sweeper.system.errors import BadInput
from sweeper.system.text import percent

VARIES_VARIABLE = "SWEEPER_VARIES"  # `varies_in` the sweep, for the launcher's workers
MOST = 200  # runs of an arm that are looked at
_BY_FACTOR = ("optimizer.weight_decay", "optimizer.adamw_lr", "optimizer.adamw_weight_decay")


class Labelled(NamedTuple):
    """What a run is named by; `overrides` are its own."""

    directory: Path
    config: dict[str, Any]
    overrides: Sequence[str]


def varies_in(grid: Grid) -> dict[str, list[str]]:
    """The names of groups and options that distinguish the runs of each arm, or by "" those of a sweep without arms;
    groups first, the seed last."""
    config_of = {cell.directory: cell.config for cell in grid.cells}
    arms = {arm: [config_of[directory] for directory in directories] for arm, directories in grid.arms.items()}
    return {arm: _telling(configs) for arm, configs in (arms or {"": [*config_of.values()]}).items()}


def label_run(config: dict[str, Any], overrides: Sequence[str] = ()) -> str:
    """A run of the sweep at work by its arm and by what varies, e.g. `sgd, lr 0.03, seed 1`; "" outside of a sweep.

    Args:
        overrides: the run's own. A factor of lr x weight decay stands for the values that it gives: `decay ×0.3162`.
    """
    if not (varies := _varies()):
        return ""
    arm = "" if "" in varies else _arm(config)
    words = _values(config, overrides, varies.get(arm.partition(EQUAL)[0], []))
    return ", ".join([arm, *words] if arm else words)


def name_run(label: str, directory: Path) -> str:
    """How a line that isn't well begins: by what the reader knows the run by, and where its files are.

    >>> name_run("sgd, seed 1", Path("outputs/d/s")), name_run("", Path("outputs/d/s"))
    ('sgd, seed 1, in outputs/d/s', 'outputs/d/s')
    """
    return f"{label}, in {directory}" if label else str(directory)


def label_rows(
    runs: Iterable[Labelled], arm_of: Mapping[Path, str], varies: Mapping[str, list[str]] | None = None
) -> dict[Path, str]:
    """The runs of a sweep by what varies, for a table that has a column for arms.

    Args:
        arm_of: the arm of each run of a sweep of arms.
        varies: in the sweep; None for the one at work.
    """
    varies = _varies() if varies is None else varies
    return {
        run.directory: ", ".join(
            _values(run.config, run.overrides, varies.get(arm_of.get(run.directory, "").partition(EQUAL)[0], []))
        )
        for run in runs
    }


def _varies() -> dict[str, list[str]]:
    varies: dict[str, list[str]] = json.loads(os.environ.get(VARIES_VARIABLE, "{}"))
    return varies


def _values(config: dict[str, Any], overrides: Sequence[str], names: list[str]) -> list[str]:
    """The run's values of what varies, in words."""
    choices, values = _choices(config), dict(flat(config))
    factor = _decay_factor(overrides)
    if factor is not None and "optimizer.weight_decay" in names:
        names = [name for name in names if name not in _BY_FACTOR]
        values["decay"] = f"×{factor:g}"
        place = names.index("optimizer.lr") + 1 if "optimizer.lr" in names else len(names) - ("seed" in names)
        names.insert(place, "decay")
    words = []
    for name in names:
        if name in choices:
            words.append(choices[name])
        elif (value := values.get(name)) is not None:
            said = f"{value:.4g}" if isinstance(value, float) else text(value)
            words.append(f"{name.removeprefix('optimizer.')} {said}")
    return words


def _decay_factor(overrides: Sequence[str]) -> float | None:
    """The factor of lr x weight decay that a run's overrides give; None without one, as with `decay_factor=null`."""
    given = [word.partition("=")[2] for word in overrides if word.startswith("decay_factor=")]
    try:
        return float(given[-1])
    except (IndexError, ValueError):
        return None


def _telling(configs: Sequence[dict[str, Any]]) -> list[str]:
    """What distinguishes these; of many some are drawn by chance so that no axis is passed over."""
    configs = random.Random(0).sample(configs, MOST) if len(configs) > MOST else configs
    names = telling([texts(identity_config(config)) | _choices(config) for config in configs])
    return sorted(names, key=lambda name: (name == "seed", name not in _choices(configs[0]), name))


def score_words(result: dict[str, Any]) -> str:
    """The accuracy that a run is judged by: on validation images if any were held out."""
    if (validation := result.get("final_val_accuracy")) is not None:
        return f"validation {percent(validation)}"
    return f"test {percent(result.get('final_test_accuracy'))}"


def _choices(config: dict[str, Any]) -> dict[str, str]:
    """The choice of each group that determines the result."""
    groups = {key: config[key] for key, value in identity_config(config).items() if isinstance(value, dict)}
    return {key: group["name"] for key, group in groups.items() if "name" in group}


def _arm(config: dict[str, Any]) -> str:
    with contextlib.suppress(BadInput):  # a sweep says so, before it begins and at its end
        return read_arms(Path(config["outputs"])).get(run_name(config), Member()).arm
    return ""
