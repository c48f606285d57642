"""The fact that an optimizer's values were chosen by validation images, as a preset keeps it."""

from typing import Any

from sweeper.runs.checks import is_plain_number
from sweeper.system.errors import BadInput
from sweeper.system.text import shortened


def tuned_words(fact: Any, config: dict[str, Any]) -> str | None:
    """Where a run's optimizer was tuned, e.g. `100 epochs`; None if it wasn't, or has other values than were chosen.

    Args:
        fact: `tuned` of the optimizer's settings.
        config: the resolved configuration.

    Raises:
        BadInput: the fact isn't as `sweeper.choose` writes it.
    """
    if fact is None:
        return None
    if not (isinstance(fact, dict) and isinstance(fact.get("values"), dict) and is_plain_number(fact.get("epochs"))):
        what = "must be as sweeper.choose writes it; write the preset again"
        raise BadInput(f"optimizer.tuned={shortened(str(fact))}: {what}")
    if any(config["optimizer"].get(name) != value for name, value in fact["values"].items()):
        return None
    if config["dataset"]["validation_fraction"]:  # tuning goes on
        return None
    length = f"{fact['epochs']} epoch{'s' * (fact['epochs'] != 1)}"
    places = [str(fact.get(group, "another")) for group in ("dataset", "model")]
    same = places == [config[group]["name"] for group in ("dataset", "model")]
    return length if same else f"{length} on {', '.join(places)}"
