"""How long the steps take, from what `sweeper.plan` measures of the search."""

import json
import sys
import tempfile
from typing import Any

from sweeper.system.child import run
from sweeper.system.terminal import say, tell
from sweeper.system.text import duration
from sweeper.tune.search import unfinished
from sweeper.tune.steps import Steps


def tell_time(steps: Steps) -> int:
    """Time the search's runs by `sweeper.plan --json` and say how long all steps take. Returns that command's exit
    code."""
    if not (left := len(unfinished(steps.grid))):
        say("the search is done, so there is nothing to time; the same command without --plan goes on")
        return 0
    with tempfile.TemporaryFile() as file:
        code = run([sys.executable, "-m", "sweeper.plan", "--json", *steps.search], stdout=file)
        file.seek(0)
        text = file.read()
    if text.strip():
        plan = json.loads(text)
        say(time_words(plan, left, sum(steps.later_runs())))
        if code:
            tell(f"the disk is too full: {plan['outputs']}; make room, or choose another folder by outputs=DIR")
    return code


def time_words(plan: dict[str, Any], left: int, later: int) -> str:
    """How long the runs take, if later ones take as long as those of the search.

    Args:
        plan: the document of the search's runs.
        left: of these are still to train.
        later: runs of confirmation and comparison.
    """
    ways = plan["launchers"]
    way = next((one for one in ways if one["chosen"]), ways[0])
    seconds = way["seconds"] * (left + later) / left
    grows = ", and more where a grid grows" if plan["extensions"] else ""
    return f"time: about {duration(seconds)} for {left + later} runs on this machine{grows}"
