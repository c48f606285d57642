"""`decision.json`: the rule, the arms and the looks of a decision. Everything in it follows from the runs' records."""

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sweeper.decide.judge import Decision
from sweeper.decide.rule import Rule
from sweeper.runs.layout import ARMS_FILE, DECISION_FILE
from sweeper.runs.shared_record import one_writer
from sweeper.system.command import MAKE_ROOM, writing
from sweeper.system.errors import BadInput
from sweeper.system.files import is_written, read_file, write_atomically
from sweeper.system.limits import RECORD_BYTES
from sweeper.system.terminal import say

VERSION = 1
_SAME = ("rule", "field", "arms")  # what one decision keeps from its first look to its end


def content(
    rule: Rule,
    arms: dict[str, list[str]],
    decision: Decision,
    answer: str,
    field: str | None = None,
    tuned: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the file holds.

    Args:
        arms: for each its runs' directories by seed, below the folder of all runs; of a field's optimizer below the
            field's.
        field: in words.
        tuned: of each newcomer that was tuned first the folder of these `runs`, the `rule`, the `values` and how they
            were `chosen`.
    """
    return {
        "version": VERSION,
        "rule": rule.as_json(),
        **({"field": field} if field else {}),
        **({"tuned": tuned} if tuned else {}),
        "arms": arms,
        "looks": [look.as_json() for look in decision.looks],
        "undecided": sorted(sorted(pair) for pair in decision.open),
        "ended": not decision.waits,
        "answer": answer,
    }


def check_recorded(
    outputs: Path,
    rule: Rule,
    arms: dict[str, list[str]] | None,
    field: str | None = None,
    tuned: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The looks recorded already; none if there is no decision yet.

    Args:
        arms: None while the newcomers' values are still to be tuned.
        tuned: as in the file or, with no arms, as far as it is known before.

    Raises:
        BadInput: the folder has a decision by another rule or of other arms, or one that can't be read.
    """
    path = outputs / DECISION_FILE
    try:
        found: Any = json.loads(read_file(path, RECORD_BYTES))
        recorded, looks, own = found["rule"], found["looks"], found["arms"]
        then = found.get("tuned") or {}
        if arms is None:
            then = {name: {key: one[key] for key in ("runs", "rule")} for name, one in then.items()}
        if not isinstance(looks, list):
            raise TypeError(looks)
    except FileNotFoundError:
        return []
    except OSError as error:  # it may be whole: without it, looks that were taken would be taken again
        raise BadInput(f"{path}: can't be read: {error.strerror or error}") from error
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: isn't a decision's file; move it away") from error
    if recorded != json.loads(json.dumps(rule.as_json())):
        raise BadInput(
            f"{path}: was begun by another rule ({_in_words(recorded)}) than is asked for ({rule.words()}); a rule "
            "isn't changed on the way: give the same options, or another folder: outputs=DIR"
        )
    if (arms is not None and own != arms) or found.get("field") != field or then != (tuned or {}):
        raise BadInput(f"{path}: is about other arms; decide these in another folder: outputs=DIR")
    return looks


def _in_words(recorded: Any) -> str:
    try:
        return Rule(recorded["level"], recorded["margin"], tuple(recorded["looks"])).words()
    except (TypeError, KeyError, ValueError):
        return "one that this version doesn't know"


def recorded_order(recorded: list[dict[str, Any]], arms: Iterable[str]) -> list[str]:
    """The arms in the order of the first look, which a command may give in another one; without a look as they are.

    The order decides nothing but which of two level arms is named first.
    """
    try:
        order = [str(arm) for arm in recorded[0]["arms"]]
    except (IndexError, KeyError, TypeError):  # one that was edited is told by `check_looks`
        order = []
    place = {arm: k for k, arm in enumerate(order)}
    return sorted(arms, key=lambda arm: place.get(arm, len(place)))


def check_looks(outputs: Path, recorded: list[dict[str, Any]], decision: Decision) -> None:
    """Raises BadInput if recorded looks don't follow from the runs' records."""
    now = json.loads(json.dumps([look.as_json() for look in decision.looks]))
    for number, (then, here) in enumerate(zip(recorded, now, strict=False), 1):
        if then != here:
            raise BadInput(
                f"{outputs / DECISION_FILE}: look {number} isn't what the runs' records say; it was edited, judged "
                "by an earlier version, or runs were trained anew: move it away, and the same command judges them again"
            )


def write(outputs: Path, document: dict[str, Any]) -> None:
    """Write the file, if it says something else.

    Raises:
        BadInput: another command has written another decision since this one looked, or it can't be written.
    """
    path, text = outputs / DECISION_FILE, json.dumps(document, indent=1, ensure_ascii=False).encode()
    if is_written(path, text):
        return
    with writing(path, MAKE_ROOM), one_writer(path):
        with contextlib.suppress(FileNotFoundError, ValueError, RecursionError):
            found, own = json.loads(read_file(path, RECORD_BYTES)), json.loads(text)
            if not isinstance(found, dict) or any(found.get(name) != own.get(name) for name in _SAME):
                told = "has since been written by a command with another rule or other arms, and stays"
                raise BadInput(f"{path}: {told}; decide these in another folder: outputs=DIR")
        write_atomically(path, text)


def show(outputs: Path) -> bool:
    """Make the folder's tables and its page anew, with decision and arms, unless they were made after both.

    A command that was stopped before may have left tables without its last runs, and a page without the decision.
    Returns whether they are there; if they can't be written, a line says so, and the answer is told without them.
    """
    from sweeper.report.renewal import are_made, make_anew

    if are_made(outputs, [outputs / DECISION_FILE, outputs / ARMS_FILE]):
        return True
    paths = make_anew(outputs)
    for path in paths or ():
        say(f"page: {path}")
    return paths is not None
