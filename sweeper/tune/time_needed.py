"""How long the steps take, from what `sweeper.plan` measures of the search."""

import json
import sys
from typing import Any

from sweeper.system.child import run_and_read
from sweeper.system.terminal import say, tell
from sweeper.system.text import counted, duration
from sweeper.tune.document import Told
from sweeper.tune.search import unfinished
from sweeper.tune.steps import Steps


def tell_time(steps: Steps, found: Told) -> int:
    """Time the search's runs by `sweeper.plan --json` and say how long all steps take. Returns that command's exit
    code."""
    if not (left := len(unfinished(steps.grid))):
        say("the search is done, so there is nothing to time; the same command without --plan goes on")
        return 0
    code, text = run_and_read([sys.executable, "-m", "sweeper.plan", "--json", *steps.search])
    if text.strip():
        plan, runs = json.loads(text), sum(steps.runs().values()) - (len(steps.grid.cells) - left)
        found.seconds = seconds_needed(plan, left, runs)
        grows = ", and more where a grid grows" if plan["extensions"] else ""
        say(f"time: about {duration(found.seconds)} for {counted(runs, 'run')} on this machine{grows}")
        if code:
            tell(f"the disk is too full: {plan['outputs']}; make room, or choose another folder by outputs=DIR")
    return code


def seconds_needed(plan: dict[str, Any], left: int, runs: int) -> float:
    """How long the runs take, if later ones take as long as those of the search.

    Args:
        plan: the document of the search's runs.
        left: of these are still to train.
        runs: of all steps.
    """
    ways = plan["launchers"]
    way = next((one for one in ways if one["chosen"]), ways[0])
    seconds: float = way["seconds"] * runs / left
    return seconds
