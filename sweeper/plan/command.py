"""`python -m sweeper.plan -m …`: what `sweeper.train -m …` would do, and how long it takes with each launcher.

Only short probes are trained, in separate processes and temporary folders. Nothing is downloaded: random images replace
missing data. If all runs are done already, nothing is timed and torch isn't imported.
"""

import json
import math
import re
import sys
import time
from collections.abc import Sequence

from sweeper.system.command import called, exit_code_of, is_about_itself, split_own
from sweeper.system.durations import read_duration
from sweeper.system.errors import BadInput
from sweeper.system.terminal import say

HELP = """\
usage: python -m sweeper.plan [-m] [--within TIME] [--probe-seconds N] [--json] [overrides of sweeper.train]

What `python -m sweeper.train` would do with the same overrides, presets too: how many runs, how many are done already,
seconds an epoch by a short timing probe, the time by launcher, how many seeds a difference needs by the finished runs'
scatter, memory, disk, and what other devices would need.
Trains nothing else, writes nothing, downloads nothing.

  --within TIME       also tell what fits in a time such as 5h, 90min, 1h30m or 300 (seconds)
  --probe-seconds N   to spend on timing, set-up and warm-up aside (default: 30)
  --json              print one JSON document, for programs
  --version           print sweeper's version

Exit codes: 0; 1 if the disk is too full for the sweep or a probe failed; 2 for bad input; 130 by Ctrl-C.
"""
PROBE_SECONDS = 30.0
_OWN = ("--within", "--probe-seconds")
_ASKING = ("--hydra-help", "--cfg", "-c", "--info", "-i", "--shell-completion", "-sc")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code, see `--help`."""
    return exit_code_of(lambda: _plan(list(sys.argv[1:] if argv is None else argv)))


def _plan(arguments: list[str]) -> int:
    if is_about_itself(arguments, re.sub(r"python -m sweeper\.(\w+)", lambda command: called(command[1]), HELP)):
        return 0
    from sweeper.config.grid import compose_grid
    from sweeper.plan.seeds import plan_seeds
    from sweeper.plan.standing import describe_runs, standing
    from sweeper.runs.access import check_readable
    from sweeper.train.launchers.registry import find_launcher
    from sweeper.train.search.widen import widen

    own, overrides = _split(arguments)
    within = read_duration(own["--within"]) if "--within" in own else None
    probe_seconds = _seconds(own.get("--probe-seconds"))
    began = time.perf_counter()
    grid = compose_grid(overrides, "plan")
    find_launcher(grid.launcher_options).check(grid.launcher_options)
    composing = time.perf_counter() - began
    if grid.search is not None:
        trial = f"experiment=tune lr_factor=1 decay_factor=1 epochs={grid.cells[0].config['epochs']}"
        like = f"plan a trial of each optimizer by {trial}, and multiply"
        raise BadInput(f"a search's runs aren't known before it: {like}")
    check_readable(grid.outputs, (cell.directory for cell in grid.cells))
    grid, _ = widen(grid)
    runs = [standing(cell) for cell in grid.cells]
    to_do = [run for run in runs if run.left]
    document, pace = describe_runs(grid, runs), None
    if to_do:
        from sweeper.plan.forecast import forecast

        forecasted, pace = forecast(grid, runs, probe_seconds, within, composing)
        document |= forecasted
    document["seeds"] = plan_seeds(grid, None if pace is None else pace.of_seeds)
    if "--json" in own:
        say(json.dumps(document, indent=1))
    else:
        from sweeper.plan.table import print_plan

        print_plan(document)
    return 0 if not to_do or document["disk"]["enough"] else 1


def _split(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Split the arguments into this command's options and those of sweeper.train."""
    own, rest = split_own(arguments, _OWN, "plan")
    if "--json" in rest:
        own["--json"] = ""
    for word in rest:
        if (name := word.partition("=")[0]) in _ASKING:
            raise BadInput(f"{name}: is for {called('train')}; see {called('plan')} --help")
    return own, [word for word in rest if word != "--json"]


def _seconds(text: str | None) -> float:
    if text is None:
        return PROBE_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 3600:
        raise BadInput(f"--probe-seconds {text}: must be a number of seconds above 0, at most 3600")
    return seconds
