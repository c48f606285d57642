"""The fact that an optimizer's values were chosen by validation images, as a preset keeps it."""

import hashlib
import json
from typing import Any

from sweeper.runs.checks import is_plain_number
from sweeper.runs.identity import identity_config
from sweeper.runs.tuned_on import IMAGES, on_images
from sweeper.system.errors import BadInput
from sweeper.system.text import counted, shortened

_NO_RECIPE = ("epochs", "optimizer", "seed", "tag", "device")


def tuned_words(fact: Any, config: dict[str, Any]) -> str | None:
    """Where a run's optimizer was tuned, e.g. `100 epochs`, and `100 epochs on another recipe` if only length and names
    are those of the tuning; None if it wasn't, or has other values than were chosen. See `tuned_on` for its images.

    Args:
        fact: `tuned` of the optimizer's settings.
        config: the resolved configuration.

    Raises:
        BadInput: the fact isn't as `sweeper.choose` writes it.
    """
    if fact is None:
        return None
    if not _is_fact(fact):
        what = "must be as sweeper.choose writes it; write the preset again"
        raise BadInput(f"optimizer.tuned={shortened(str(fact))}: {what}")
    if any(config["optimizer"].get(name) != value for name, value in fact["values"].items()):
        return None
    if config["dataset"]["validation_fraction"]:  # tuning goes on
        return None
    length = counted(str(fact["epochs"]), "epoch")
    places = [str(fact.get(group, "another")) for group in ("dataset", "model")]
    if places != [config[group]["name"] for group in ("dataset", "model")]:
        return f"{length} on {', '.join(places)}"
    if fact.get("recipe") != recipe_hash(config):
        return f"{length} on another recipe"
    return on_images(length, fact["images"]) if "images" in fact else length


def _is_fact(fact: Any) -> bool:
    if not (isinstance(fact, dict) and isinstance(fact.get("values"), dict) and is_plain_number(fact.get("epochs"))):
        return False
    return "images" not in fact or bool(IMAGES.fullmatch(str(fact["images"])))  # earlier versions wrote none


def recipe_hash(config: dict[str, Any]) -> str:
    """Identifies what an optimizer is tuned for, in eight digits: a run's identity without its length, optimizer, seed,
    tag, precision and validation images."""
    identity = identity_config(config)
    kept = {key: value for key, value in identity.items() if key not in _NO_RECIPE}
    kept["dataset"] = {key: value for key, value in kept["dataset"].items() if key != "validation_fraction"}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]
